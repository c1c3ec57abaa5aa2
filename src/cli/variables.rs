//! Variables that look like ours and are none.

use std::ffi::OsString;

use super::CHECK_OPTIONS;
use super::nearest;
use super::options;

/// One line for each `WSECHO_` variable in `names` that no option has, sorted. A restriction whose
/// name is misspelt restricts nothing, so its operator should hear of it.
pub fn unknown_variables(names: impl IntoIterator<Item = OsString>) -> Vec<String> {
    let names = names.into_iter().map(|name| name.to_string_lossy().into_owned());
    let unknown = names.filter(|name| name.starts_with("WSECHO_") && !known().any(|k| k == name));
    let mut lines: Vec<String> = unknown.map(|name| describe(&name)).collect();
    lines.sort();
    lines
}

fn known() -> impl Iterator<Item = &'static str> {
    let server = options::all().map(|spec| spec.variable);
    let known = server.chain(CHECK_OPTIONS.iter().map(|spec| spec.variable));
    #[cfg(feature = "load")]
    let known = known
        .chain(super::load::PLAN_OPTIONS.iter().map(|spec| spec.variable))
        .chain(super::load::WHOLE_OPTIONS.iter().map(|spec| spec.variable));
    known
}

fn describe(name: &str) -> String {
    match nearest(name, known()) {
        Some(known) => format!("{name} is not a known variable; did you mean {known}?"),
        None => format!("{name} is not a known variable"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_variables_are_named_with_the_nearest_known() {
        let names = [
            "WSECHO_ORIGINS",
            "WSECHO_ORIGIN",
            "WSECHO_HEALTHCHECK_TIMEOUT",
            "WSECHO_",
            "WSECHO_PING_INTERAVL",
            "WSECHO_SOMETHING_ELSE",
            "wsecho_origin",
            "PATH",
        ];
        let lines = unknown_variables(names.map(OsString::from));
        let expected = [
            "WSECHO_ is not a known variable; did you mean WSECHO_AT?",
            "WSECHO_ORIGINS is not a known variable; did you mean WSECHO_ORIGIN?",
            "WSECHO_PING_INTERAVL is not a known variable; did you mean WSECHO_PING_INTERVAL?",
            "WSECHO_SOMETHING_ELSE is not a known variable",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn no_known_variable_is_unknown() {
        assert!(unknown_variables(known().map(OsString::from)).is_empty());
    }
}
