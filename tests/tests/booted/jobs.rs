//! Later, without anybody there.

use crate::cell::Tried;
use crate::household::Household;

/// A job of alice's crontab, at the start of the machine: the same path through
/// cron as at any other time.
pub fn cron(home: &mut Household) -> Tried {
    let anchor = home.anchor();
    let found = home.behind(|probe| {
        home.bed.run(&format!(
            "echo '@reboot {probe}' | crontab -u alice - && rm -f /run/crond.reboot && \
             systemctl restart cron"
        ))
    });
    home.is_with(&anchor, &found);
    Ok(())
}

/// Root's own jobs open no session of a user's.
pub fn cron_of_root(home: &mut Household) -> Tried {
    let _anchor = home.anchor();
    let found = home.behind(|probe| {
        home.bed.run(&format!(
            "echo '@reboot root {probe}' >/etc/cron.d/job && rm -f /run/crond.reboot && \
             systemctl restart cron"
        ))
    });
    home.is_on_the_host(&found, 0);
    Ok(())
}

pub fn at(home: &mut Household) -> Tried {
    let anchor = home.anchor();
    let found = home.behind(|probe| home.bed.ssh("alice", &format!("echo '{probe}' | at now")));
    home.is_with(&anchor, &found);
    Ok(())
}
