//! One question, one answer.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};

use config::{Account, Answer, Fingerprint, OwnedFile, User, answer};
use namespace::profile::Profile;
use namespace::reader::{Finding, Reply, Request};
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, recvmsg, sendmsg};

use super::confine::confine;
use super::furnish::furnish;
use super::open_store::open_store;

/// Descriptor 0: all that the module left open.
const SOCKET: i32 = 0;
/// Longest question: paths and names, with room to spare.
const LONGEST_REQUEST: usize = 1 << 17;

/// Reads the question, confines the process, and answers.
///
/// # Errors
/// If there is no socket, or no question on it: started by hand.
pub fn serve() -> Result<(), Errno> {
    let request = receive()?;
    let missed = confine(&request.roots);
    let (mut reply, directory) = reply_to(&request);
    if let (Finding::Refused(why), Some(root)) = (&mut reply.finding, missed.first()) {
        // May be why: what cannot be looked at is not written to.
        why.push_str(&format!("; before that, it {root}"));
    }
    send(&reply, directory.as_ref())
}

fn receive() -> Result<Request, Errno> {
    let mut bytes = vec![0; LONGEST_REQUEST];
    let length = recvmsg::<()>(
        SOCKET,
        &mut [IoSliceMut::new(&mut bytes)],
        None,
        MsgFlags::empty(),
    )?
    .bytes;
    bytes.truncate(length);
    let text = String::from_utf8(bytes).map_err(|_| Errno::EBADMSG)?;
    toml::from_str(&text).map_err(|_| Errno::EBADMSG)
}

/// What the user's files and the question amount to, with the directory that is
/// to be `/nix`, if one is. The caller must have become the user.
#[must_use]
pub fn reply_to(request: &Request) -> (Reply, Option<OwnedFd>) {
    let mut user = None;
    let (finding, directory) = match find(request, &mut user) {
        Ok((finding, directory)) => (finding, directory),
        Err(why) => (Finding::Refused(why), None),
    };
    let reply = Reply {
        user,
        profile: find_profile(&request.account),
        finding,
    };
    (reply, directory)
}

/// Both are looked at, so that the kernel remembers both: later logins ask
/// nobody else.
fn find_profile(account: &Account) -> Option<Profile> {
    let is_there = |profile: Profile| {
        let link = account.home.join(profile.place());
        link.symlink_metadata().is_ok()
    };
    let (state, home) = (is_there(Profile::State), is_there(Profile::Home));
    Profile::of(state, home)
}

fn find(
    request: &Request,
    fingerprint: &mut Option<Fingerprint>,
) -> Result<(Finding, Option<OwnedFd>), String> {
    let Request {
        account,
        host,
        opt_in,
        source_path,
        roots,
    } = request;
    let user = read_user(account, fingerprint)?;
    let roots = config::with_real_paths(roots);
    let answer = answer(source_path, *opt_in, &roots, user.as_ref(), account, host)
        .map_err(|error| error.to_string())?;
    Ok(match answer {
        Answer::NotOptedIn => (Finding::NotOptedIn, None),
        Answer::DisabledByUser => (Finding::Disabled, None),
        Answer::Store {
            path,
            allow_symlinks,
            environment,
        } => {
            let directory = open_store(&path, allow_symlinks).map_err(|error| error.to_string())?;
            furnish(&directory);
            let path = path.as_path().to_owned();
            (Finding::Store { path, environment }, Some(directory))
        }
    })
}

fn read_user(
    account: &Account,
    fingerprint: &mut Option<Fingerprint>,
) -> Result<Option<User>, String> {
    let path = account.home.join(config::USER_FILE);
    let file = OwnedFile::read_below(&account.home, config::USER_FILE, account.uid)
        .map_err(|error| error.to_string())?;
    let Some(file) = file else { return Ok(None) };
    *fingerprint = Some(file.fingerprint);
    User::parse(&file.text, &path)
        .map(Some)
        .map_err(|error| error.to_string())
}

fn send(reply: &Reply, directory: Option<&OwnedFd>) -> Result<(), Errno> {
    let bytes = reply.to_bytes();
    let descriptors: Vec<_> = directory
        .iter()
        .map(|directory| directory.as_raw_fd())
        .collect();
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let control = if descriptors.is_empty() {
        &[][..]
    } else {
        &rights[..]
    };
    let parts = [IoSlice::new(&bytes)];
    sendmsg::<()>(SOCKET, &parts, control, MsgFlags::MSG_NOSIGNAL, None).map(drop)
}
