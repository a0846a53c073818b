# Two commands: `make demo` shows it, `make test` tests it. Both install what
# they need (Debian packages, as root or by sudo, saying so).

CARGO ?= cargo
DESTDIR ?=
PREFIX ?= /usr
LIBEXECDIR ?= $(PREFIX)/libexec
MAN_DIR ?= $(PREFIX)/share/man
DOC_DIR ?= $(PREFIX)/share/doc/nix-ns
SBINDIR ?= $(PREFIX)/sbin
UNIT_DIR ?= $(PREFIX)/lib/systemd/system
BASH_COMPLETIONS ?= $(PREFIX)/share/bash-completion/completions
ZSH_COMPLETIONS ?= $(PREFIX)/share/zsh/vendor-completions
FISH_COMPLETIONS ?= $(PREFIX)/share/fish/vendor_completions.d
# Where this system's own modules are: Debian's multiarch directory, or lib64.
PAM_DIR ?= $(shell packaging/pam-directory)
BUILT = target/release
# Man pages and completions, from docs/man and what the program says of itself.
DOCUMENTS = target/documents
# The SELinux module, compiled.
POLICY = target/selinux

# The module runs the reader, and the command the setuid program, at these paths
# and no others.
export NIX_NS_READER = $(LIBEXECDIR)/nix-ns-reader
export NIX_NS_ENTER = $(LIBEXECDIR)/nix-ns-enter

.PHONY: build programs selinux demo test test-full matrix kernels faults benchmark fuzz check \
	install install-docs install-pam-auth-update install-authselect install-selinux uninstall \
	dist deb rpm release clean

build:
	packaging/dependencies build
	$(MAKE) programs

programs:
	$(CARGO) build-module
	$(CARGO) build-reader
	$(CARGO) build-enter
	$(CARGO) build-command
	$(CARGO) run --quiet --locked --package helper --example documents -- $(DOCUMENTS)

demo: build
	packaging/dependencies demo
	$(CARGO) build --quiet --locked --package tests --bins
	packaging/as-root target/debug/demo

# What a change must pass: formatting, lints, the tests, some fuzzing.
test: build check
	packaging/dependencies test
	packaging/as-root $(CARGO) test --workspace --locked --no-fail-fast -- $(LONG:%=--skip %) --skip $(ENDLESS)
	$(MAKE) fuzz SECONDS=10

# Debian's newest suite, and of the desktops all but a few of each suite.
LONG = sid:: desktop::trixie trixie::lightdm::applications trixie::lightdm::switch_user \
	trixie::gdm::broken_configuration trixie::remote wayland::by_lightdm wayland::by_gdm \
	lightdm::autologin lightdm::log_in_again lightdm::lock_and_unlock lightdm::second_seat \
	lightdm::broken_configuration lightdm::nix_program \
	sddm::autologin sddm::greeter sddm::lock_and_unlock sddm::broken_configuration remote::xrdp \
	gdm::autologin gdm::password gdm::lock_and_unlock gdm::nix_program
# Failures, crowds and a hundred thousand sessions.
ENDLESS = long::

# The same, and what takes too long for every change: the rest of the beds, each
# check of the hostile suite taken away and seen to be caught, the oldest
# compiler, the other architecture, other kernels, and fuzzing.
test-full: test
	packaging/as-root $(CARGO) test --package tests --test booted --test packages --locked -- $(LONG)
	packaging/as-root $(CARGO) test --package tests --test nix_in_beds --locked -- --ignored
	packaging/as-root tests/hostile/prove
	packaging/as-root $(CARGO) test --package tests --test faults --test soak --locked -- $(ENDLESS)
	packaging/as-root packaging/check-portability
	packaging/release/check-reproducible
	$(MAKE) kernels
	$(MAKE) fuzz

# Debian's kernels from the floor to the newest, emulated: a table, which is kept.
kernels: build
	packaging/dependencies kernels
	$(MAKE) selinux
	@kept=tests/matrix/kernels.md; status=0; \
	packaging/as-root tests/kernels/run >$$kept.new || status=$$?; \
	mv $$kept.new $$kept; cat $$kept; exit $$status

# Every door in every booted system: a table, which is kept for this kernel.
matrix: build
	packaging/dependencies test
	@kept=tests/matrix/linux-$$(uname -r | cut -d. -f1,2).md; status=0; \
	packaging/as-root tests/matrix/run >$$kept.new || status=$$?; \
	mv $$kept.new $$kept; cat $$kept; exit $$status

# How long everything takes beside what it replaces, for docs/performance.md. On
# a machine with nothing else to do; some minutes.
benchmark: build
	packaging/dependencies test
	$(CARGO) build --quiet --locked --package tests --bins
	packaging/as-root target/debug/benchmark tests/benchmark/results

# Every failure that can be made, every kill, a hundred thousand sessions and a
# crowd: the totals. Takes half an hour or more; docs/faults has what came of it.
faults: build
	packaging/dependencies test
	packaging/as-root env CARGO="$(CARGO)" tests/faults/run

# Looks for inputs that break what must hold for all of them: SECONDS for each
# kind of input.
SECONDS ?= 60
fuzz:
	packaging/dependencies fuzz
	SECONDS_EACH=$(SECONDS) tests/fuzz/run

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

# Does not touch /etc/pam.d: docs/pam.md tells which lines to add, and where.
# Builds nothing: root need not have a Rust toolchain.
install:
	@test -e $(BUILT)/nix-ns-reader || { echo 'nothing is built yet: run make build first' >&2; exit 1; }
	install -d -m 0755 $(DESTDIR)$(PAM_DIR) $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(PREFIX)/bin
	# A /nix that is there stays as it is, whosever it is.
	test -e $(DESTDIR)/nix || install -d -m 0755 $(DESTDIR)/nix
	install -m 0644 $(BUILT)/libpam_nixns.so $(DESTDIR)$(PAM_DIR)/pam_nixns.so
	# Not readable: what a user may not read, the user may not trace.
	install -m 0711 $(BUILT)/nix-ns-reader $(DESTDIR)$(LIBEXECDIR)/nix-ns-reader
	# Not setuid: nix-ns-enter(8) tells what that gives, and how.
	install -m 0711 $(BUILT)/nix-ns-enter $(DESTDIR)$(LIBEXECDIR)/nix-ns-enter
	install -m 0755 $(BUILT)/nix-ns $(DESTDIR)$(PREFIX)/bin/nix-ns
	install -d -m 0755 $(DESTDIR)$(BASH_COMPLETIONS) $(DESTDIR)$(ZSH_COMPLETIONS) $(DESTDIR)$(FISH_COMPLETIONS)
	for page in $(DOCUMENTS)/man/*.[1-9]; do \
		install -D -m 0644 $$page $(DESTDIR)$(MAN_DIR)/man$${page##*.}/$${page##*/} || exit; \
	done
	install -m 0644 $(DOCUMENTS)/completions/nix-ns.bash $(DESTDIR)$(BASH_COMPLETIONS)/nix-ns
	install -m 0644 $(DOCUMENTS)/completions/_nix-ns $(DESTDIR)$(ZSH_COMPLETIONS)/_nix-ns
	install -m 0644 $(DOCUMENTS)/completions/nix-ns.fish $(DESTDIR)$(FISH_COMPLETIONS)/nix-ns.fish
	# For desktops: tells who has no /nix, and why.
	install -m 0755 packaging/autostart/nix-ns-notice $(DESTDIR)$(LIBEXECDIR)/nix-ns-notice
	install -d -m 0755 $(DESTDIR)/etc/xdg/autostart
	sed 's|@LIBEXECDIR@|$(LIBEXECDIR)|g' packaging/autostart/nix-ns-notice.desktop \
		>$(DESTDIR)/etc/xdg/autostart/nix-ns-notice.desktop
	chmod 0644 $(DESTDIR)/etc/xdg/autostart/nix-ns-notice.desktop
	install -D -m 0644 packaging/tmpfiles.d/nix-ns.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/nix-ns.conf
	install -D -m 0644 packaging/systemd/nix-ns-mount-point.service $(DESTDIR)$(UNIT_DIR)/nix-ns-mount-point.service
	install -d -m 0755 $(DESTDIR)$(UNIT_DIR)/sysinit.target.wants
	ln -sf ../nix-ns-mount-point.service $(DESTDIR)$(UNIT_DIR)/sysinit.target.wants/nix-ns-mount-point.service
	install -d -m 0755 $(DESTDIR)/etc/nix-ns $(DESTDIR)/etc/profile.d
	install -m 0644 packaging/profile.d/nix-ns.sh $(DESTDIR)/etc/profile.d/nix-ns.sh
	test -e $(DESTDIR)/etc/nix-ns/config.toml || \
		install -m 0644 config/site.toml $(DESTDIR)/etc/nix-ns/config.toml

# What the packages have besides. Where they are among the sources, so that they
# find each other and their pictures; what is measured is a part of what is said.
DOCS = README.md SECURITY.md ARCHITECTURE.md CONTRIBUTING.md CHANGELOG.md docs/*.md docs/guides/*.md \
	docs/faults/*.md docs/pictures/* tests/matrix/*.md tests/benchmark/results/table.md \
	tests/benchmark/results/picture.svg
install-docs:
	for file in $(DOCS); do \
		install -D -m 0644 $$file $(DESTDIR)$(DOC_DIR)/$$file || exit; \
	done

# Debian and Ubuntu: profiles for pam-auth-update, which the next run of it, by
# whatever package, puts to use.
install-pam-auth-update:
	install -d -m 0755 $(DESTDIR)$(PREFIX)/share/pam-configs
	install -m 0644 packaging/pam/pam-configs/* $(DESTDIR)$(PREFIX)/share/pam-configs

# Fedora, RHEL, openSUSE: a command that does the same by authselect or in
# pam-config's way, when it is told to.
install-authselect:
	install -D -m 0755 packaging/pam/nix-ns-pam $(DESTDIR)$(SBINDIR)/nix-ns-pam
	install -D -m 0644 packaging/pam/nix-ns-pam.8 $(DESTDIR)$(MAN_DIR)/man8/nix-ns-pam.8

# Compiled by `make selinux`; loading it is up to whoever installs it.
install-selinux:
	install -D -m 0644 $(POLICY)/nix-ns.pp $(DESTDIR)$(PREFIX)/share/selinux/packages/nix-ns.pp

# Take the lines out of /etc/pam.d first. Leaves the site configuration, and
# /nix, as long as somebody is on theirs: to remove a directory takes away what
# is mounted on it in other namespaces.
uninstall:
	rm -f $(DESTDIR)$(PAM_DIR)/pam_nixns.so $(DESTDIR)$(LIBEXECDIR)/nix-ns-reader \
		$(DESTDIR)$(LIBEXECDIR)/nix-ns-enter $(DESTDIR)$(PREFIX)/bin/nix-ns \
		$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/nix-ns.conf $(DESTDIR)$(UNIT_DIR)/nix-ns-mount-point.service \
		$(DESTDIR)$(UNIT_DIR)/sysinit.target.wants/nix-ns-mount-point.service \
		$(DESTDIR)$(MAN_DIR)/man?/nix-ns.? $(DESTDIR)$(MAN_DIR)/man?/nix-ns-*.? \
		$(DESTDIR)$(MAN_DIR)/man?/pam_nixns.? $(DESTDIR)$(BASH_COMPLETIONS)/nix-ns \
		$(DESTDIR)$(ZSH_COMPLETIONS)/_nix-ns $(DESTDIR)$(FISH_COMPLETIONS)/nix-ns.fish \
		$(DESTDIR)/etc/profile.d/nix-ns.sh $(DESTDIR)$(PREFIX)/share/pam-configs/nix-ns \
		$(DESTDIR)$(PREFIX)/share/pam-configs/nix-ns-leave $(DESTDIR)$(SBINDIR)/nix-ns-pam \
		$(DESTDIR)$(PREFIX)/share/selinux/packages/nix-ns.pp $(DESTDIR)$(LIBEXECDIR)/nix-ns-notice \
		$(DESTDIR)/etc/xdg/autostart/nix-ns-notice.desktop
	for file in $(DOCS); do rm -f $(DESTDIR)$(DOC_DIR)/$$file; done
	-[ ! -d $(DESTDIR)$(DOC_DIR)/docs ] || { cd $(DESTDIR)$(DOC_DIR) && rmdir docs/guides docs/faults \
		docs/pictures docs tests/matrix tests/benchmark/results tests/benchmark tests && rmdir $$PWD; }
	-{ [ -z '$(DESTDIR)' ] && grep -qs ' /nix ' /proc/[0-9]*/mountinfo; } || rmdir $(DESTDIR)/nix

# Compiled with Debian's own compiler, without the policy it will be loaded
# into: what a type is missing for there is left out.
selinux:
	install -d $(POLICY)
	checkmodule -M -m -o $(POLICY)/nix-ns.mod packaging/selinux/nix-ns.te
	semodule_package -o $(POLICY)/nix-ns.pp -m $(POLICY)/nix-ns.mod -f packaging/selinux/nix-ns.fc

# The sources of a release, and packages that are built from nothing else.
dist deb rpm:
	packaging/dependencies package
	packaging/release/$@

# All of it, checked, with the record of what is in it and sums.
release:
	packaging/dependencies package
	packaging/release/all

clean:
	$(CARGO) clean
