//! What users can put in the way of a login: in their configuration, in the
//! place of their store, in what is logged and shown, in what a careless site
//! shows everybody, or has PAM read. Each case is an attempt
//! over real doors; each ends in a login that works, on the host's `/nix` or on
//! a directory of one's own.

mod binds;
mod configuration;
mod named;
mod protocols;
mod resources;
mod store;
mod words;

use tests::hostile::{End, Family, Scene, Step};

/// A name, what is done, and how a login ends.
type Case<'a> = (&'a str, &'a [Step<'a>], End<'a>);

fn play(family: &mut Family, scene: &Scene, cases: &[Case]) {
    for (name, steps, end) in cases {
        family.case(name, || scene.play(steps, *end));
    }
}

/// Where the store is if nobody says otherwise.
const STORE: &str = "/home/alice/.local/share/nix";
/// Logins in each race: enough to lose it, were it to be lost.
const MANY: usize = 200;
/// Links are hers to allow.
const LINK: Step = Step::Config("source_path = \"link\"\nallow_symlinks = true\n");
/// A site with a place for everybody, on which sticky directories are usual.
const SCRATCH: Step = Step::Site("roots = [\"/scratch\", \"/srv\", \"%h\"]\n");
/// Whatever it is, it is no directory.
const NO_DIRECTORY: End = End::Refused("is not a directory");
/// Others could change what is in it.
const WRITABLE: End = End::Refused("is writable by others");
