import { $ } from './dom.js';

// What a screen reader says, once, whatever else changes on the page: the text of #spoken, a live
// region. The same words twice in a row are spoken twice.
export function speak(words) {
  $('spoken').textContent = $('spoken').textContent === words ? `${words}\u00a0` : words;
}
