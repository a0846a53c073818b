//! The login prompt of the machine itself.

use crate::cell::Tried;
use crate::household::{Household, PASSWORD};

pub fn login(home: &mut Household) -> Tried {
    let anchor = home.anchor();
    home.log_in_at_console("alice", PASSWORD);
    let found = home.behind(|probe| home.at_console(probe));
    home.is_with(&anchor, &found);
    home.bed.enter_at_console("exit");
    Ok(())
}

pub fn login_of_root(home: &mut Household) -> Tried {
    home.log_in_at_console("root", PASSWORD);
    let found = home.behind(|probe| home.at_console(probe));
    home.is_on_the_host(&found, 0);
    home.bed.enter_at_console("exit");
    Ok(())
}
