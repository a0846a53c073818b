# Makes a store like Nix's: make-store DIRECTORY PACKAGES. A package has about a
# hundred files, a third of them hard links to files that others have, too.
use strict;
use warnings;

my ($top, $packages) = @ARGV;
my $files = $ARGV[2] // 92;
sub spew { my ($path, $text) = @_; open my $f, '>', $path or die "$path: $!"; print $f $text; close $f or die }
mkdir $_ or die "$_: $!" for $top, map "$top/$_", qw(store store/.links var var/nix var/nix/db var/nix/profiles var/nix/gcroots);
my $pool = $packages > 500 ? 500 : $packages * 2;
spew("$top/store/.links/$_", "shared $_\n") for 1 .. $pool;
my @made;
for my $package (1 .. $packages) {
    my $path = sprintf "%s/store/%032d-package-%d", $top, $package, $package;
    my @directories = ($path, map "$path/$_", qw(bin lib share));
    mkdir $_ or die for @directories;
    for my $file (1 .. $files) {
        my $name = "$directories[$file % 4]/file$file";
        if ($file % 3 == 0) {
            my $shared = 1 + ($package + $file) % $pool;
            link "$top/store/.links/$shared", $name or die $!;
        } else {
            spew($name, "package $package file $file\n");
            chmod 0444, $name;
        }
        push @made, $name;
    }
    symlink "/nix/store/elsewhere$_", "$path/link$_" or die for 1 .. 2;
    push @made, "$path/name\nof two lines";
    spew($made[-1], "odd\n");
    push @made, @directories;
}
chmod 0444, glob "$top/store/.links/*";
# Sparse: a hole, a few bytes, a hole.
open my $sparse, '>', "$top/var/nix/sparse" or die;
seek $sparse, 1 << 20, 0; print $sparse 'x' x 5000; truncate $sparse, 5 << 20 or die; close $sparse;
spew("$top/var/nix/db/db.sqlite", 'database' x 1000);
spew("$top/var/nix/db/big-lock", '');
spew("$top/var/nix/not to be read by others", 'secret');
chmod 0600, "$top/var/nix/db/big-lock", "$top/var/nix/not to be read by others";
symlink '/nix/store/profile', "$top/var/nix/profiles/default" or die;
system('mkfifo', "$top/var/nix/fifo") == 0 or die;
mkdir "$top/var/nix/empty" or die;
utime 1, 1, @made;
chmod 0555, grep { -d } @made;
utime 1, 1, $_ for grep { -d } @made;
