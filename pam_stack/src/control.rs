//! The control field of a PAM line: what becomes of a stack after each answer
//! of a module (`pam.conf(5)`, `_pam_parse_control` of libpam).

/// What becomes of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The answer does not count.
    Ignore,
    /// It counts, as a success.
    Ok,
    /// As `Ok`, and the stack ends.
    Done,
    /// It counts, as a failure; the stack goes on and fails at its end.
    Bad,
    /// As `Bad`, and the stack ends.
    Die,
    /// What was counted before is forgotten.
    Reset,
    /// As many lines are skipped.
    Jump(usize),
}

/// A control field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    actions: Vec<(String, Action)>,
    default: Action,
}

impl Control {
    /// A keyword, or what stands in brackets; `None` is what libpam does not
    /// understand, and treats as a module that always fails.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let pairs = match text.to_ascii_lowercase().as_str() {
            "required" => "success=ok new_authtok_reqd=ok ignore=ignore default=bad",
            "requisite" => "success=ok new_authtok_reqd=ok ignore=ignore default=die",
            "optional" => "success=ok new_authtok_reqd=ok default=ignore",
            "sufficient" => "success=done new_authtok_reqd=done default=ignore",
            _ => return Self::parse_pairs(text.strip_prefix('[')?.strip_suffix(']')?),
        };
        Self::parse_pairs(pairs)
    }

    fn parse_pairs(text: &str) -> Option<Self> {
        let mut control = Self {
            actions: Vec::new(),
            default: Action::Bad,
        };
        // libpam takes blanks around the sign.
        let text = text.split('=').map(str::trim).collect::<Vec<_>>().join("=");
        for pair in text.split_whitespace() {
            let (answer, action) = pair.split_once('=')?;
            let action = Action::parse(action)?;
            if answer == "default" {
                control.default = action;
            } else {
                control.actions.push((answer.to_owned(), action));
            }
        }
        Some(control)
    }

    /// What becomes of the stack after this answer.
    #[must_use]
    pub fn on(&self, answer: &str) -> Action {
        let mut actions = self.actions.iter().rev();
        actions
            .find(|(name, _)| name == answer)
            .map_or(self.default, |(_, action)| *action)
    }

    /// Everything that may become of the stack.
    pub fn all(&self) -> impl Iterator<Item = Action> {
        let actions = self.actions.iter().map(|(_, action)| *action);
        actions.chain([self.default])
    }
}

impl Action {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "ignore" => Self::Ignore,
            "ok" => Self::Ok,
            "done" => Self::Done,
            "bad" => Self::Bad,
            "die" => Self::Die,
            "reset" => Self::Reset,
            number => match number.parse().ok()? {
                0 => Self::Ignore,
                lines => Self::Jump(lines),
            },
        })
    }

    /// Whether the session does not start.
    #[must_use]
    pub fn fails(self) -> bool {
        matches!(self, Self::Bad | Self::Die)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_what_the_manual_says() {
        let on = |keyword, answer| Control::parse(keyword).unwrap().on(answer);
        assert_eq!(on("required", "system_err"), Action::Bad);
        assert_eq!(on("Requisite", "system_err"), Action::Die);
        assert_eq!(on("optional", "system_err"), Action::Ignore);
        assert_eq!(on("sufficient", "success"), Action::Done);
        assert_eq!(on("required", "ignore"), Action::Ignore);
    }

    #[test]
    fn brackets_hold_pairs_with_blanks_where_one_likes() {
        let control = Control::parse("[ success = 2  default=ignore ]").unwrap();
        assert_eq!(control.on("success"), Action::Jump(2));
        assert_eq!(control.on("abort"), Action::Ignore);
        let nothing = Control::parse("[success=ok]").unwrap();
        assert_eq!(nothing.on("abort"), Action::Bad);
        assert_eq!(
            Control::parse("[success=0]").unwrap().on("success"),
            Action::Ignore
        );
    }

    #[test]
    fn all_that_may_come_of_a_line_is_known() {
        let control = Control::parse("[success=2 abort=die default=ignore]").unwrap();
        let all: Vec<Action> = control.all().collect();
        assert_eq!(all, [Action::Jump(2), Action::Die, Action::Ignore]);
        let fails = [Action::Bad, Action::Die];
        assert!(fails.into_iter().all(Action::fails));
        let others = [Action::Ok, Action::Done, Action::Reset, Action::Jump(1)];
        assert!(!others.into_iter().any(Action::fails));
    }

    #[test]
    fn nonsense_is_none() {
        for text in [
            "",
            "[",
            "[]x",
            "requirde",
            "[success]",
            "[success=maybe]",
            "[success=-1]",
        ] {
            assert_eq!(Control::parse(text), None, "{text}");
        }
    }
}
