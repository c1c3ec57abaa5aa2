import { $ } from '../shared/dom.js';

// Drawers beside the log, one open at a time. The focus goes in with a drawer and out to its button.

const buttons = [...document.querySelectorAll('[aria-controls^=drawer-]')];
const drawerOf = button => $(button.getAttribute('aria-controls'));

function openDrawer(button) {
  for (const other of buttons) {
    const open = other === button && drawerOf(other).hidden;
    other.ariaExpanded = String(open);
    drawerOf(other).hidden = !open;
    if (open) drawerOf(other).querySelector('h2').focus();
  }
  dispatchEvent(new Event('resize')); // what is drawn to measure has another size now
}

for (const button of buttons) {
  const close = () => {
    if (!drawerOf(button).hidden) openDrawer(button);
    button.focus();
  };
  button.onclick = () => openDrawer(button);
  drawerOf(button).querySelector('.close').onclick = close;
  drawerOf(button).onkeydown = event => { if (event.key === 'Escape') close(); };
}
