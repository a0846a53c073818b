//! A seat that people sit at, as logind knows one from what udev has written
//! down: there is no udev in a bed, and no graphics.

use super::Bed;
use crate::User;

/// A device that every system has, and that can be shown whatever it is.
const NULL: &str = "c1:3";
/// Another one.
const ZERO: &str = "c1:5";

impl Bed {
    /// The seat that has the virtual terminals.
    pub(super) fn furnish_seat(&self) {
        self.be_graphical(NULL, "seat0");
    }

    /// A second seat, which has none.
    #[track_caller]
    pub fn furnish_second_seat(&self) {
        self.be_graphical(ZERO, "seat1");
    }

    /// `70-seat.rules` and `71-seat.rules` of systemd, for one device. Without
    /// it sddm waits for ever for the seat to be graphical.
    fn be_graphical(&self, device: &str, seat: &str) {
        let root = User::root();
        let mut tags = vec!["seat", "master-of-seat"];
        let mut data = "I:1\n".to_owned();
        if seat != "seat0" {
            data += &format!("E:ID_SEAT={seat}\n");
            tags.push(seat);
        }
        for tag in tags {
            self.write(&format!("/run/udev/tags/{tag}/{device}"), "", 0o644, &root);
            data += &format!("G:{tag}\nQ:{tag}\n");
        }
        let file = format!("/run/udev/data/{device}");
        self.write(&file, data + "V:1\n", 0o644, &root);
        // That udev runs.
        self.write("/run/udev/control", "", 0o600, &root);
        self.run("systemctl restart systemd-logind").ok();
        let graphical = format!("loginctl show-seat {seat} -p CanGraphical --value || :");
        self.wait_until(&format!("{seat} to be graphical"), || {
            self.run(&graphical).ok() == "yes"
        });
    }
}
