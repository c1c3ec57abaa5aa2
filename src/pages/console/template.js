// Placeholders in a message: {{n}} counts the messages that have it, {{time}} is the time of sending.
export function fillIn(text, n) {
  return text.replaceAll('{{n}}', String(n)).replaceAll('{{time}}', new Date().toISOString());
}

export const isCounted = text => text.includes('{{n}}');
