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

/// A module's answers (`_pam_token_returns` of libpam).
const ANSWERS: [&str; 32] = [
    "success",
    "open_err",
    "symbol_err",
    "service_err",
    "system_err",
    "buf_err",
    "perm_denied",
    "auth_err",
    "cred_insufficient",
    "authinfo_unavail",
    "user_unknown",
    "maxtries",
    "new_authtok_reqd",
    "acct_expired",
    "session_err",
    "cred_unavail",
    "cred_expired",
    "cred_err",
    "no_module_data",
    "conv_err",
    "authtok_err",
    "authtok_recover_err",
    "authtok_lock_busy",
    "authtok_disable_aging",
    "try_again",
    "ignore",
    "abort",
    "authtok_expired",
    "module_unknown",
    "bad_item",
    "conv_again",
    "incomplete",
];

/// A control field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    actions: Vec<(&'static str, Action)>,
    default: Action,
}

impl Control {
    /// A keyword, or what stood in brackets; `None` is what libpam does not
    /// understand, and treats as a module that always fails.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let pairs = match text.to_ascii_lowercase().as_str() {
            "required" => "success=ok new_authtok_reqd=ok ignore=ignore default=bad",
            "requisite" => "success=ok new_authtok_reqd=ok ignore=ignore default=die",
            "optional" => "success=ok new_authtok_reqd=ok default=ignore",
            "sufficient" => "success=done new_authtok_reqd=done default=ignore",
            _ => text,
        };
        Self::parse_pairs(pairs)
    }

    fn parse_pairs(text: &str) -> Option<Self> {
        let mut actions = Vec::new();
        let mut default = None;
        // libpam takes blanks around the sign.
        let text = text
            .split('=')
            .map(str::trim_ascii)
            .collect::<Vec<_>>()
            .join("=");
        for pair in text.split_ascii_whitespace() {
            let (answer, action) = pair.split_once('=')?;
            let action = Action::parse(action)?;
            if answer == "default" {
                default.get_or_insert(action);
            } else {
                let answer = ANSWERS.iter().find(|it| **it == answer)?;
                actions.push((*answer, action));
            }
        }
        Some(Self {
            actions,
            default: default.unwrap_or(Action::Bad),
        })
    }

    /// What becomes of the stack after this answer.
    #[must_use]
    pub fn on(&self, answer: &str) -> Action {
        let mut actions = self.actions.iter().rev();
        actions
            .find(|(name, _)| *name == answer)
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
            number => {
                let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
                let lines: i32 = number.parse().ok().filter(|it| is_number && *it > 0)?;
                Self::Jump(usize::try_from(lines).ok()?)
            }
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
        let control = Control::parse(" success = 2  default=ignore ").unwrap();
        assert_eq!(control.on("success"), Action::Jump(2));
        assert_eq!(control.on("abort"), Action::Ignore);
        let nothing = Control::parse("success=ok").unwrap();
        assert_eq!(nothing.on("abort"), Action::Bad);
        let twice = Control::parse("default=die abort=ok default=ok abort=bad").unwrap();
        assert_eq!(twice.on("success"), Action::Die);
        assert_eq!(twice.on("abort"), Action::Bad);
    }

    #[test]
    fn all_that_may_come_of_a_line_is_known() {
        let control = Control::parse("success=2 abort=die default=ignore").unwrap();
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
            "[",
            "requirde",
            "success",
            "success=maybe",
            "success=-1",
            "success=+1",
            "success=0",
            "success=2147483648",
            "succes=ok",
            "success=ok\u{a0}default=bad",
        ] {
            assert_eq!(Control::parse(text), None, "{text}");
        }
    }
}
