import { $, part } from '../shared/dom.js';
import { encode } from './bytes.js';
import { connectAgain } from './connection.js';

// Behaviours: the form and the query of the URL say the same. Each field is named for its parameter.

const fields = [...$('behaviour-form').querySelectorAll('[name]')];
const BYTES_MAX = { welcome: 4096, reply: 4096, reason: 123 };

const PRESETS = {
  'Exact echo': '',
  'Slow': 'delay=500&jitter=500',
  'Drops after 3': 'drop=rst&after=3',
  'Refuses 503': 'refuse=503',
  'Closes after 5 s': 'close=1001&reason=going+away&at=5000',
  'Says hello': 'welcome=Hello!&reply=Echo:+{message}',
};

function splitUrl() {
  const [, base, query = ''] = /^([^?#]*)(?:\?([^#]*))?/.exec($('url').value);
  return { base, query };
}

// Only what is within the limits of its field goes into the URL.
function formToUrl() {
  const { base, query } = splitUrl();
  const names = new Set(fields.map(field => field.name));
  const pairs = query.split('&').filter(pair => pair && !names.has(pair.split('=')[0]));
  for (const field of fields) {
    checkField(field);
    if (field.type === 'checkbox') field.checked && pairs.push(field.name);
    else if (field.value && field.validity.valid) pairs.push(`${field.name}=${encodeURIComponent(field.value)}`);
  }
  $('url').value = base + (pairs.length ? `?${pairs.join('&')}` : '');
  countBehaviours();
  $('url').dispatchEvent(new Event('change', { bubbles: true }));
}

export function urlToForm() {
  const query = new URLSearchParams(splitUrl().query);
  for (const field of fields) {
    if (field.type === 'checkbox') field.checked = query.has(field.name);
    else field.value = query.get(field.name) ?? '';
    checkField(field);
  }
  countBehaviours();
}

function checkField(field) {
  if (BYTES_MAX[field.name]) {
    const long = encode(field.value).length > BYTES_MAX[field.name];
    field.setCustomValidity(long ? `At most ${BYTES_MAX[field.name]} bytes.` : '');
  }
  field.ariaInvalid = String(!field.validity.valid);
}

function countBehaviours() {
  const set = fields.filter(field => field.type === 'checkbox' ? field.checked : field.value).length;
  const wrong = fields.filter(field => !field.validity.valid);
  $('behaviours-count').textContent = set || '';
  $('behaviours-error').textContent = wrong.map(field =>
    `${field.labels[0].firstChild.textContent.trim()}: ${field.validationMessage}`).join(' ');
}

for (const [name, query] of Object.entries(PRESETS)) {
  const button = part($('presets'), 'button', 'small', name);
  button.type = 'button';
  button.onclick = () => {
    const { base } = splitUrl();
    $('url').value = base + (query ? `?${query}` : '');
    urlToForm();
    formToUrl();
  };
}

$('behaviour-form').oninput = formToUrl;
$('behaviour-form').onsubmit = event => {
  event.preventDefault();
  const wrong = fields.find(field => !field.validity.valid);
  if (wrong) wrong.focus();
  else connectAgain();
};
$('url').addEventListener('input', urlToForm);
