import { linkPages } from '../shared/nav.js';
import { drawBurst, takenByBurst } from './burst.js';
import { received } from './composer.js';
import { connection, showConnection } from './connection.js';
import './drawers.js';
import { startSession } from './session.js';
import { drawTrips } from './trips.js';

// The console: talk to a WebSocket server by hand. Each module looks after a part of the page.

function drawPlots() {
  drawTrips();
  drawBurst();
}

connection.addEventListener('message', ({ detail }) => {
  const now = performance.now();
  if (!takenByBurst(detail, now)) received(detail, now);
});

linkPages('');
startSession();
showConnection();
drawPlots();
addEventListener('resize', drawPlots);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawPlots);
