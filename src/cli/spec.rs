//! One description per option, from which its flag, its variable, its help and its line in
//! `docs/options.md` are made. Adding an option is adding one [`Spec`] to a table.

use std::ffi::{OsStr, OsString};

use clap::builder::ValueParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};

/// Where variables are looked up; the process hands in its environment, tests a closure.
pub type Environment = dyn Fn(&str) -> Option<OsString>;

/// What is left of 80 columns beside the longest flag.
const HELP_COLUMNS_MAX: usize = 44;

/// An option that changes some `T`.
pub struct Spec<T: 'static> {
    /// The long flag, without its dashes.
    pub name: &'static str,
    /// The environment twin.
    pub variable: &'static str,
    /// What follows the flag.
    pub takes: Takes,
    /// The heading it stands under in the help.
    pub heading: &'static str,
    /// Its meaning and unit, broken by hand into lines of `HELP_COLUMNS_MAX`.
    pub help: &'static str,
    /// Its default as an operator would write it; empty if there is none to state.
    pub default: fn(&T) -> String,
    /// Takes one value over; the error says what is wrong with it.
    pub apply: fn(&mut T, &str) -> Result<(), String>,
}

/// What follows a flag.
#[derive(Clone, Copy, PartialEq)]
pub enum Takes {
    /// One value of this name.
    One(&'static str),
    /// One value of this name, behind this short form too.
    #[cfg_attr(not(feature = "load"), expect(dead_code, reason = "the server's have none"))]
    Short(char, &'static str),
    /// One value of this name, and the flag may be repeated; the variable has commas.
    Many(&'static str),
    /// One value of this name, or this one if there is none.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "only TLS has such an option"))]
    Maybe(&'static str, &'static str),
    /// Nothing: the flag, also in this short form, is counted; the variable is a number.
    Count(char),
    /// Nothing: the flag says yes, the variable 1 or 0.
    Switch,
    /// As `Switch`, with a short form.
    ShortSwitch(char),
}

/// The flags of a table. Values stay text here: [`apply`] reads them, since it knows whether a
/// flag or a variable is to be named when one is wrong.
pub fn arguments<T>(specs: &[Spec<T>], defaults: &T) -> Vec<Arg> {
    let argument = |spec: &Spec<T>| {
        let help = help_with_default(spec.help, &(spec.default)(defaults));
        argument(spec.name, spec.takes, help).help_heading(spec.heading)
    };
    specs.iter().map(argument).collect()
}

/// One flag. What does not know `T` is in the binary once.
#[inline(never)]
fn argument(name: &'static str, takes: Takes, help: String) -> Arg {
    let arg = Arg::new(name).long(name).help(help);
    let valued = |arg: Arg, value| arg.value_name(value).value_parser(ValueParser::os_string());
    match takes {
        Takes::One(value) => valued(arg, value),
        Takes::Short(short, value) => valued(arg.short(short), value),
        Takes::Many(value) => valued(arg, value).action(ArgAction::Append),
        Takes::Maybe(value, default) => {
            valued(arg, value).num_args(0..=1).default_missing_value(default)
        }
        Takes::Count(short) => arg.short(short).action(ArgAction::Count),
        Takes::Switch => arg.action(ArgAction::SetTrue),
        Takes::ShortSwitch(short) => arg.short(short).action(ArgAction::SetTrue),
    }
}

fn help_with_default(help: &str, default: &str) -> String {
    if default.is_empty() {
        return help.to_owned();
    }
    let default = format!("[default: {default}]");
    let last_line = help.lines().last().unwrap_or_default();
    let fits = last_line.len() + 1 + default.len() <= HELP_COLUMNS_MAX;
    format!("{help}{}{default}", if fits { ' ' } else { '\n' })
}

/// Applies what was given: an option's flags if there are any, else its variable.
pub fn apply<T>(
    specs: &[Spec<T>],
    matches: &ArgMatches,
    environment: &Environment,
    target: &mut T,
) -> Result<(), String> {
    for spec in specs {
        if !spec.apply_flags(matches, target)? {
            spec.apply_variable(environment, target)?;
        }
    }
    Ok(())
}

impl<T> Spec<T> {
    /// Applies the option's flags; false if there are none.
    pub fn apply_flags(&self, matches: &ArgMatches, target: &mut T) -> Result<bool, String> {
        let flagged = matches.value_source(self.name) == Some(ValueSource::CommandLine);
        if flagged {
            let values = flag_values(self.name, self.takes, matches)?;
            self.apply_values(&format!("--{}", self.name), &values, target)?;
        }
        Ok(flagged)
    }

    /// Applies the option's variable, if it is set.
    pub fn apply_variable(&self, environment: &Environment, target: &mut T) -> Result<(), String> {
        let values = variable_values(self.variable, self.takes, environment)?;
        self.apply_values(self.variable, &values, target)
    }

    /// Applies values in their order; an error names their `origin`.
    pub fn apply_values(
        &self,
        origin: &str,
        values: &[String],
        target: &mut T,
    ) -> Result<(), String> {
        values.iter().try_for_each(|value| {
            (self.apply)(target, value).map_err(|wrong| format!("{origin}: {wrong}"))
        })
    }
}

/// A variable's value; one that is set but empty counts as unset, as compose files leave them.
pub fn variable(environment: &Environment, name: &str) -> Result<Option<String>, String> {
    let value = environment(name).filter(|value| !value.is_empty());
    value.map(|value| utf8(&value, name)).transpose()
}

#[inline(never)]
fn flag_values(name: &str, takes: Takes, matches: &ArgMatches) -> Result<Vec<String>, String> {
    match takes {
        Takes::Count(_) => return Ok(vec![matches.get_count(name).to_string()]),
        Takes::Switch | Takes::ShortSwitch(_) => return Ok(vec!["1".to_owned()]),
        Takes::One(_) | Takes::Short(..) | Takes::Many(_) | Takes::Maybe(..) => {}
    }
    let values = matches.get_many::<OsString>(name).unwrap_or_default();
    values.map(|value| utf8(value, &format!("--{name}"))).collect()
}

#[inline(never)]
fn variable_values(
    name: &str,
    takes: Takes,
    environment: &Environment,
) -> Result<Vec<String>, String> {
    let Some(value) = variable(environment, name)? else {
        return Ok(Vec::new());
    };
    match takes {
        Takes::Many(_) => {
            let parts = list(&value).map_err(|wrong| format!("{name}: {wrong}"))?;
            Ok(parts.into_iter().map(str::to_owned).collect())
        }
        _ => Ok(vec![value]),
    }
}

/// The parts of a list with commas, at least one.
///
/// # Errors
/// There are none. Somebody meant to name something, and a list that is not there would mean the
/// default, which for a restriction is that there is none.
pub fn list(value: &str) -> Result<Vec<&str>, String> {
    let parts = value.split(',').map(str::trim).filter(|part| !part.is_empty());
    let parts: Vec<_> = parts.collect();
    if parts.is_empty() { Err(format!("{value:?} names nothing")) } else { Ok(parts) }
}

fn utf8(value: &OsStr, origin: &str) -> Result<String, String> {
    value.to_str().map(str::to_owned).ok_or_else(|| format!("{origin}: {value:?} is not UTF-8"))
}

/// The rows of a table in Markdown: option, variable, default.
#[cfg(all(test, feature = "load"))]
pub fn table<T>(specs: &[Spec<T>], defaults: &T, prefix: &str) -> String {
    let mut rows = String::new();
    for spec in specs {
        let default = match (spec.default)(defaults) {
            default if default.is_empty() => String::new(),
            default => format!("`{default}`"),
        };
        rows += &format!("| `{prefix}--{}` | `{}` | {default} |\n", spec.name, spec.variable);
    }
    rows
}
