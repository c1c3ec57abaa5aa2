//! HTML, as far as a report needs it. All text is escaped here.

use crate::text::is_invisible;

/// A page as far as it has been written.
#[derive(Default)]
pub(super) struct Page(pub(super) String);

impl Page {
    pub(super) fn raw(&mut self, html: &str) {
        self.0.push_str(html);
    }

    pub(super) fn begin(&mut self, title: &str) {
        self.raw(&format!("<section>\n<h2>{}</h2>\n", escaped(title)));
    }

    pub(super) fn end(&mut self) {
        self.raw("</section>\n");
    }

    pub(super) fn hint(&mut self, words: &str) {
        self.raw(&format!("<p class=\"hint\">{}</p>\n", escaped(words)));
    }

    pub(super) fn note(&mut self, class: &str, words: &str) {
        self.raw(&format!("<section class=\"{class}\"><p>{}</p></section>\n", escaped(words)));
    }

    /// One figure, large, with a few words below it.
    pub(super) fn tile(&mut self, name: &str, value: &str, further: &str) {
        let [name, value, further] = [name, value, further].map(escaped);
        self.raw(&format!("<div><dt>{name}</dt><dd>{value}<small>{further}</small></dd></div>\n"));
    }

    pub(super) fn chart(&mut self, title: &str, hint: &str, svg: &str) {
        self.begin(title);
        self.hint(hint);
        self.raw(svg.trim_end());
        self.raw("\n");
        self.end();
    }

    /// A table whose first `words` columns are text, and the others numbers.
    pub(super) fn table(&mut self, names: &[&str], words: usize, fill: impl FnOnce(&mut Self)) {
        self.raw("<div class=\"scroll\"><table>\n");
        if !names.is_empty() {
            self.raw("<thead>");
            self.cells("th", names, words);
            self.raw("</thead>\n");
        }
        self.raw("<tbody>\n");
        fill(self);
        self.raw("</tbody>\n</table></div>\n");
    }

    pub(super) fn row(&mut self, cells: &[String], words: usize) {
        self.cells("td", cells, words);
    }

    fn cells<T: AsRef<str>>(&mut self, tag: &str, cells: &[T], words: usize) {
        self.raw("<tr>");
        for (at, cell) in cells.iter().enumerate() {
            let class = if at < words { "" } else { " class=\"number\"" };
            self.raw(&format!("<{tag}{class}>{}</{tag}>", escaped(cell.as_ref())));
        }
        self.raw("</tr>\n");
    }
}

/// Text as it may stand in HTML and in its attributes. What hides or reorders its neighbours is
/// replaced.
pub(super) fn escaped(text: &str) -> String {
    let mut html = String::new();
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c if is_invisible(c) => html.push(char::REPLACEMENT_CHARACTER),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_text() {
        let mut page = Page::default();
        page.row(&["<script>\u{202E}".to_owned(), "\"a\" & 'b'".to_owned()], 1);
        assert_eq!(
            page.0,
            "<tr><td>&lt;script&gt;\u{FFFD}</td>\
             <td class=\"number\">&quot;a&quot; &amp; &#39;b&#39;</td></tr>\n"
        );
    }
}
