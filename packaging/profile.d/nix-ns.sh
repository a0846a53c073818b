# For login shells in sessions that pam_nixns.so has given an environment: what
# /etc/profile takes out of PATH again is put back. Does nothing for root, and
# nothing where the module did nothing.
if [ "${NIX_NS-}" = 1 ] && [ -n "${NIX_PROFILES-}" ] && [ -n "${HOME-}" ] && [ "$(id -u)" -ne 0 ]; then
    # The one that Nix's own nix.sh takes.
    nix_ns_profile=$HOME/.local/state/nix/profile
    [ -e "$nix_ns_profile" ] || nix_ns_profile=$HOME/.nix-profile

    # Whether Nix's own nix.sh is about to run, which adds everything again.
    nix_ns_runs_later() {
        if [ -n "${ZSH_VERSION-}" ]; then
            grep -qs 'profile\.d/nix\.sh' "$HOME/.zprofile" "$HOME/.zshrc" "$HOME/.zlogin"
        else
            grep -qs 'profile\.d/nix\.sh' "$HOME/.bash_profile" "$HOME/.bash_login" "$HOME/.profile"
        fi
    }

    # $1 without the entry $2, in nix_ns_list.
    nix_ns_without() {
        nix_ns_list=:$1:
        while case $nix_ns_list in *":$2:"*) true ;; *) false ;; esac; do
            nix_ns_list=${nix_ns_list%%":$2:"*}:${nix_ns_list#*":$2:"}
        done
        nix_ns_list=${nix_ns_list#:}
        nix_ns_list=${nix_ns_list%:}
    }

    nix_ns_without "$PATH" "$nix_ns_profile/bin"
    if nix_ns_runs_later; then
        PATH=$nix_ns_list
        if [ -n "${MANPATH-}" ]; then
            nix_ns_without "$MANPATH" "$nix_ns_profile/share/man"
            MANPATH=$nix_ns_list
        fi
        # Older ones leave this alone.
        if grep -qs XDG_DATA_DIRS "$nix_ns_profile/etc/profile.d/nix.sh"; then
            nix_ns_without "${XDG_DATA_DIRS-}" "$nix_ns_profile/share"
            XDG_DATA_DIRS=$nix_ns_list
        fi
    else
        PATH=$nix_ns_profile/bin:$nix_ns_list
    fi
    unset -f nix_ns_without nix_ns_runs_later
    unset nix_ns_profile nix_ns_list
fi
