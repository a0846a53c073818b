# Two commands: `make demo` shows it, `make test` tests it. Both install what
# they need (Debian packages, as root or by sudo, saying so).

CARGO ?= cargo
DESTDIR ?=
PREFIX ?= /usr
SYSCONFDIR ?= /etc
LIBEXECDIR ?= $(PREFIX)/libexec
MAN_DIR ?= $(PREFIX)/share/man
BASH_COMPLETIONS ?= $(PREFIX)/share/bash-completion/completions
ZSH_COMPLETIONS ?= $(PREFIX)/share/zsh/vendor-completions
FISH_COMPLETIONS ?= $(PREFIX)/share/fish/vendor_completions.d
# Where this system's own modules are: Debian's multiarch directory, or lib64.
PAM_DIR ?= $(shell packaging/pam-directory)
BUILT = target/release
# Man pages and completions, generated from the command line.
DOCUMENTS = target/documents

# The module runs the reader, and the command the setuid program, at these paths
# and no others.
export NIX_NS_READER = $(LIBEXECDIR)/nix-ns-reader
export NIX_NS_ENTER = $(LIBEXECDIR)/nix-ns-enter

.PHONY: build demo test test-full matrix kernels fuzz check install uninstall clean

build:
	packaging/dependencies build
	$(CARGO) build-module
	$(CARGO) build-reader
	$(CARGO) build-enter
	$(CARGO) build-command
	$(CARGO) run --quiet --locked --package helper --example documents -- $(DOCUMENTS)

demo: build
	packaging/dependencies demo
	$(CARGO) build --quiet --locked --package tests --bins
	packaging/as-root target/debug/demo

# What a change must pass: formatting, lints, every test, some fuzzing.
test: build check
	packaging/dependencies test
	packaging/as-root $(CARGO) test --workspace --locked -- --skip sid::
	$(MAKE) fuzz SECONDS=10

# The same, and what takes too long for every change: Debian's newest suite, each
# check of the hostile suite taken away and seen to be caught, the oldest
# compiler, the other architecture, and fuzzing.
test-full: test
	packaging/as-root $(CARGO) test --package tests --test booted --locked -- sid::
	packaging/as-root tests/hostile/prove
	packaging/as-root packaging/check-portability
	$(MAKE) fuzz

# Debian's kernels from the floor to the newest, emulated: a table, which is kept.
kernels: build
	packaging/dependencies kernels
	@kept=tests/matrix/kernels.md; status=0; \
	packaging/as-root tests/kernels/run >$$kept.new || status=$$?; \
	mv $$kept.new $$kept; cat $$kept; exit $$status

# Every door in every booted system: a table, which is kept for this kernel.
matrix: build
	packaging/dependencies test
	@kept=tests/matrix/linux-$$(uname -r | cut -d. -f1,2).md; status=0; \
	packaging/as-root tests/matrix/run >$$kept.new || status=$$?; \
	mv $$kept.new $$kept; cat $$kept; exit $$status

# Looks for inputs that break what must hold for all of them: SECONDS for each
# kind of input.
SECONDS ?= 60
fuzz:
	packaging/dependencies fuzz
	SECONDS_EACH=$(SECONDS) tests/fuzz/run

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

# Does not touch /etc/pam.d: README tells which two lines to add, and where.
# Builds nothing: root need not have a Rust toolchain.
install:
	@test -e $(BUILT)/nix-ns-reader || { echo 'nothing is built yet: run make build first' >&2; exit 1; }
	install -d -m 0755 $(DESTDIR)$(PAM_DIR) $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(PREFIX)/bin $(DESTDIR)/nix
	install -m 0644 $(BUILT)/libpam_nixns.so $(DESTDIR)$(PAM_DIR)/pam_nixns.so
	# Not readable: what a user may not read, the user may not trace.
	install -m 0711 $(BUILT)/nix-ns-reader $(DESTDIR)$(LIBEXECDIR)/nix-ns-reader
	# Not setuid: README tells what that gives, and how.
	install -m 0711 $(BUILT)/nix-ns-enter $(DESTDIR)$(LIBEXECDIR)/nix-ns-enter
	install -m 0755 $(BUILT)/nix-ns $(DESTDIR)$(PREFIX)/bin/nix-ns
	install -d -m 0755 $(DESTDIR)$(MAN_DIR)/man1 $(DESTDIR)$(BASH_COMPLETIONS) \
		$(DESTDIR)$(ZSH_COMPLETIONS) $(DESTDIR)$(FISH_COMPLETIONS)
	install -m 0644 $(DOCUMENTS)/man/*.1 $(DESTDIR)$(MAN_DIR)/man1
	install -m 0644 $(DOCUMENTS)/completions/nix-ns.bash $(DESTDIR)$(BASH_COMPLETIONS)/nix-ns
	install -m 0644 $(DOCUMENTS)/completions/_nix-ns $(DESTDIR)$(ZSH_COMPLETIONS)/_nix-ns
	install -m 0644 $(DOCUMENTS)/completions/nix-ns.fish $(DESTDIR)$(FISH_COMPLETIONS)/nix-ns.fish
	install -d -m 0755 $(DESTDIR)$(PREFIX)/lib/tmpfiles.d
	install -m 0644 packaging/tmpfiles.d/nix-ns.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/nix-ns.conf
	install -d -m 0755 $(DESTDIR)$(SYSCONFDIR)/nix-ns $(DESTDIR)$(SYSCONFDIR)/profile.d
	install -m 0644 packaging/profile.d/nix-ns.sh $(DESTDIR)$(SYSCONFDIR)/profile.d/nix-ns.sh
	test -e $(DESTDIR)$(SYSCONFDIR)/nix-ns/config.toml || \
		install -m 0644 config/site.toml $(DESTDIR)$(SYSCONFDIR)/nix-ns/config.toml

# Take the lines out of /etc/pam.d first. Leaves the site configuration.
uninstall:
	rm -f $(DESTDIR)$(PAM_DIR)/pam_nixns.so $(DESTDIR)$(LIBEXECDIR)/nix-ns-reader \
		$(DESTDIR)$(LIBEXECDIR)/nix-ns-enter $(DESTDIR)$(PREFIX)/bin/nix-ns \
		$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/nix-ns.conf $(DESTDIR)$(MAN_DIR)/man1/nix-ns.1 \
		$(DESTDIR)$(MAN_DIR)/man1/nix-ns-*.1 $(DESTDIR)$(BASH_COMPLETIONS)/nix-ns \
		$(DESTDIR)$(ZSH_COMPLETIONS)/_nix-ns $(DESTDIR)$(FISH_COMPLETIONS)/nix-ns.fish \
		$(DESTDIR)$(SYSCONFDIR)/profile.d/nix-ns.sh
	-rmdir $(DESTDIR)/nix

clean:
	$(CARGO) clean
