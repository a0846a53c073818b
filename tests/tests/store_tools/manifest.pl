# Everything that can be seen of a tree, a line a file: manifest DIRECTORY.
use strict;
use warnings;
use Digest::MD5 qw(md5_hex);

my %first;
sub show {
    my ($directory, $below) = @_;
    opendir my $listing, $directory or die "$directory: $!";
    for my $name (sort grep { $_ ne '.' && $_ ne '..' } readdir $listing) {
        my ($path, $shown) = ("$directory/$name", "$below/$name");
        $shown =~ s/\n/\\n/g;
        my (undef, $inode, $mode, $links, $uid, undef, undef, $size, undef, $mtime) = lstat $path;
        my $content = '';
        if (-l _) { $content = readlink $path }
        elsif (-f _) {
            open my $file, '<', $path or die "$path: $!";
            local $/; $content = md5_hex(<$file> // '');
            $content .= " is " . ($first{$inode} //= $shown) if $links > 1;
        }
        elsif (-d _) { ($size, $links) = ('', 1) }
        printf "%s %o %s %s %s %s %s\n", $shown, $mode, $uid, $size, $mtime, $links > 1 ? $links : 1, $content;
        show($path, $shown) if -d $path && ! -l $path;
    }
}
show($ARGV[0], '');
