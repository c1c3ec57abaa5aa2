// The path below which a proxy serves the pages: empty without one. `page` is the path of this page
// in the server, which may have a room behind it.
export function prefixOf(page) {
  const [, prefix = null] = new RegExp(`^(.*?)${page}(?:/[^/]*)?/?$`).exec(location.pathname) ?? [];
  return prefix;
}

// The links lead to the pages beside this one, and say which of them this is.
export function linkPages(page) {
  for (const link of document.querySelectorAll('nav a')) {
    const to = link.getAttribute('href');
    if (to === page || to === '/' && page === '') link.setAttribute('aria-current', 'page');
    link.href = (prefixOf(page) ?? '') + to;
  }
}
