//! `nix-ns init` and `nix-ns purge` as their users run them: on large stores, on
//! a terminal, killed at every moment, and against a process that works against
//! them.

mod init;
mod kills;
mod purge;
mod scene;
mod take_over;
