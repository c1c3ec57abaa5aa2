// A button that copies a link. Only pages that came by TLS, or from this machine, may use the
// clipboard; the others have a field that is selected to be copied by hand.
export function linkCopier(button, link, announce) {
  const label = button.textContent;
  let timer = 0;
  const done = text => {
    button.textContent = text;
    announce(text);
    clearTimeout(timer);
    timer = setTimeout(() => { button.textContent = label; }, 2000);
  };
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(link());
      done('Link copied');
    } catch {
      done(copyByHand(link()) ? 'Link copied' : 'The link is in the address bar');
    }
  };
}

function copyByHand(text) {
  const field = document.createElement('textarea'), before = document.activeElement;
  field.value = text;
  field.className = 'unseen';
  document.body.append(field);
  field.select();
  const copied = document.execCommand('copy');
  field.remove();
  before?.focus();
  return copied;
}
