//! What the command line says of itself.

use clap::builder::StyledStr;
use clap::{Arg, Command};

use crate::mdoc::{prose, word};

/// The list of subcommands.
pub(crate) fn commands(command: &Command) -> String {
    let items = command.get_subcommands().map(|subcommand| {
        let name = subcommand.get_name();
        let about = prose(&sentence(subcommand.get_about()));
        format!(".It Ic {name}\n{about}See\n.Xr nix-ns-{name} 1 .\n")
    });
    format!(".Bl -tag -width doctor\n{}.El\n", items.collect::<String>())
}

/// Name, synopsis, description and options of a subcommand.
pub(crate) fn page(command: &Command, subcommand: &Command) -> String {
    let (command, name) = (command.get_name(), subcommand.get_name());
    let about = subcommand.get_about();
    let mut arguments: Vec<&Arg> = subcommand.get_arguments().filter(is_ours).collect();
    arguments.sort_by_key(|argument| argument.is_positional());
    let synopsis: String = arguments.iter().copied().map(in_synopsis).collect();
    let list: String = arguments.iter().copied().map(item).collect();
    let list = if list.is_empty() {
        String::new()
    } else {
        format!(".Bl -tag -width Ds\n{list}.El\n")
    };
    format!(
        ".Sh NAME\n.Nm {command}-{name}\n.Nd {}\n\
         .Sh SYNOPSIS\n.Nm {command} {name}\n{synopsis}\
         .Sh DESCRIPTION\n{}{list}",
        title(about),
        description(subcommand),
    )
}

/// `--help` and `--version` are everywhere.
fn is_ours(argument: &&Arg) -> bool {
    !["help", "version"].contains(&argument.get_id().as_str())
}

fn in_synopsis(argument: &Arg) -> String {
    match argument.get_long() {
        Some(long) => format!(
            ".Op Fl \\-{}{}\n",
            long.replace('-', "\\-"),
            value(argument)
        ),
        None => format!(".Op{}\n", value(argument)),
    }
}

fn item(argument: &Arg) -> String {
    let tag = match argument.get_long() {
        Some(long) => format!("Fl \\-{}{}", long.replace('-', "\\-"), value(argument)),
        None => value(argument).trim_start().to_owned(),
    };
    format!(
        ".It {tag}\n{}{}",
        prose(&sentence(argument.get_help())),
        choices(argument)
    )
}

/// The placeholder of what an option or the command takes.
fn value(argument: &Arg) -> String {
    if !argument.get_action().takes_values() {
        return String::new();
    }
    let names = argument.get_value_names().unwrap_or_default();
    let names = names.iter().map(|name| format!(" Ar {}", word(name)));
    let several = argument
        .get_num_args()
        .is_some_and(|number| number.max_values() > 1);
    let dots = if several { " ..." } else { "" };
    format!("{}{dots}", names.collect::<String>())
}

fn choices(argument: &Arg) -> String {
    if !argument.get_action().takes_values() {
        return String::new();
    }
    let choices: String = argument
        .get_possible_values()
        .iter()
        .map(|choice| {
            let name = word(choice.get_name());
            format!(".It Cm {name}\n{}", prose(&sentence(choice.get_help())))
        })
        .collect();
    let defaults = argument.get_default_values().iter();
    let defaults =
        defaults.map(|value| format!(".Cm {}\nis the default.\n", value.to_string_lossy()));
    if choices.is_empty() {
        return String::new();
    }
    format!(
        ".Bl -tag -width Ds\n{choices}.El\n.Pp\n{}",
        defaults.collect::<String>()
    )
}

/// All paragraphs of the long text, or the one there is.
fn description(command: &Command) -> String {
    let text = command.get_long_about().or(command.get_about());
    let text = text.map(StyledStr::to_string).unwrap_or_default();
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let end = if paragraph.ends_with('.') { "" } else { "." };
        prose(&format!("{paragraph}{end}"))
    });
    paragraphs.collect::<Vec<_>>().join(".Pp\n")
}

/// With a full stop.
fn sentence(help: Option<&StyledStr>) -> String {
    let text = help.map(StyledStr::to_string).unwrap_or_default();
    format!("{}.", text.trim_end_matches('.'))
}

/// For `whatis`: in small letters, short.
fn title(help: Option<&StyledStr>) -> String {
    let text = help.map(StyledStr::to_string).unwrap_or_default();
    let text = text.split(" (").next().unwrap_or_default();
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_lowercase());
    let text: String = first.into_iter().flatten().chain(letters).collect();
    text.trim_end_matches('.').to_owned()
}
