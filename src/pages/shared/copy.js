import { speak } from './speak.js';

// Puts a text on the clipboard. Only pages that came by TLS or from localhost may do that directly.
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const focused = document.activeElement, field = document.createElement('textarea');
    field.value = text;
    field.className = 'unseen';
    document.body.append(field);
    field.select();
    document.execCommand('copy');
    field.remove();
    focused?.focus();
  }
}

const COPIED_MS = 1500;

// The same for a button, which says for a moment that it is done.
export async function copyBy(button, text) {
  const name = button.dataset.name ??= button.textContent; // it may still say “Copied”
  await copyText(text);
  speak('Copied');
  button.textContent = 'Copied';
  setTimeout(() => { button.textContent = name; }, COPIED_MS);
}
