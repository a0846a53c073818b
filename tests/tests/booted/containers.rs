//! Containers with an ssh server of their own.

use tests::User;

use crate::cell::Tried;
use crate::household::Household;

/// As container runtimes start one: without `CAP_SYS_ADMIN`. Logins go on, on an
/// empty `/nix`, and one line of the log says why.
pub fn that_may_not_mount(home: &mut Household) -> Tried {
    let root = "mkdir /run/box && mount -t tmpfs box /run/box && \
                mkdir /run/box/changes /run/box/work /run/box/root && \
                mount -t overlay overlay /run/box/root \
                    -o lowerdir=/,upperdir=/run/box/changes,workdir=/run/box/work && \
                rm /run/box/root/etc/machine-id";
    home.bed.run(root).ok();
    let server = "#!/bin/sh\nmkdir -p /run/sshd /run/nix-ns/self\nexec /usr/sbin/sshd -D -p 2222\n";
    home.bed
        .write("/run/box/root/server", server, 0o755, &User::root());
    let started = home.bed.run(
        "systemd-run --quiet --unit box -p Delegate=yes -E SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 \
         systemd-nspawn --quiet --register=no --keep-unit --machine box --directory /run/box/root \
             --drop-capability=CAP_SYS_ADMIN --resolv-conf=off --timezone=off --link-journal=no \
             --bind=/run/systemd/journal/dev-log:/dev/log --as-pid2 /server",
    );
    started.ok();
    let listens = || {
        home.bed
            .run("ss -Hltn 'sport = 2222'")
            .stdout
            .contains(":2222")
    };
    home.bed.wait_until("the container to listen", listens);

    let look = "stat -c %u /nix; ls -A /nix; id -un";
    let seen = home
        .bed
        .run(&format!("ssh -p 2222 alice@localhost '{look}'"));
    assert_eq!(seen.ok(), "0\nalice", "{}", home.bed.log());
    let why = "CAP_SYS_ADMIN missing";
    let log = home.bed.log();
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("pam_nixns("))
        .collect();
    assert!(
        matches!(lines.as_slice(), [line] if line.contains(why)),
        "{lines:?}"
    );

    home.bed
        .run("systemctl stop box && umount /run/box/root /run/box && rmdir /run/box")
        .ok();
    Ok(())
}
