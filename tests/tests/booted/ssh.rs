//! Over the network.

use tests::Status;

use crate::cell::Tried;
use crate::household::Household;

pub fn command(home: &mut Household) -> Tried {
    let anchor = home.anchor();
    let found = home.behind(|probe| home.bed.ssh("alice", probe));
    home.is_with(&anchor, &found);
    let bobs = home.behind(|probe| home.bed.ssh("bob", probe));
    assert_eq!(bobs.owner(), home.bob.uid.to_string());
    let roots = home.behind(|probe| home.bed.ssh("root", probe));
    home.is_on_the_host(&roots, 0);
    Ok(())
}

pub fn shell_with_terminal(home: &mut Household) -> Tried {
    let anchor = home.anchor();
    let found = home.behind(|probe| {
        let typed = format!("tty; {probe}; exit 3");
        let shell = format!("echo '{typed}' | ssh -tt alice@localhost");
        let session = home.bed.run(&shell);
        assert_eq!(session.status, Status::Exited(3), "{session}");
        assert!(session.stdout.contains("/dev/pts/"), "{session}");
        session
    });
    home.is_with(&anchor, &found);
    Ok(())
}

/// The server's own program, which says nothing about itself.
pub fn sftp(home: &mut Household) -> Tried {
    let anchor = home.anchor();
    let where_it_is = "!readlink /proc/$(pgrep -x sftp-server)/ns/mnt";
    let session = home.bed.run(&format!(
        "printf '%s\\n' 'put /etc/passwd /nix/copied' '{where_it_is}' | sftp -q -b - alice@localhost"
    ));
    assert!(session.ok().contains(&anchor.namespace), "{session}");
    let copied = home
        .bed
        .run("stat -c %U /home/alice/.local/share/nix/copied");
    assert_eq!(copied.ok(), "alice");
    Ok(())
}

/// One connection and several sessions in it.
pub fn multiplexed(home: &mut Household) -> Tried {
    let anchor = home.anchor();
    let options = "-o ControlPath=/run/multiplexed";
    let master = format!("ssh {options} -f -N -M alice@localhost");
    home.bed.run(&format!("{master} >/dev/null 2>&1")).ok();
    for _ in 0..2 {
        let found = home.behind(|probe| {
            let through = format!("ssh {options} alice@localhost {probe}");
            home.bed.run(&through)
        });
        home.is_with(&anchor, &found);
    }
    let ended = home
        .bed
        .run(&format!("ssh {options} -O exit alice@localhost"));
    assert_eq!(ended.status, Status::Exited(0), "{ended}");
    Ok(())
}
