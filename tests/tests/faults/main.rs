//! What the program promises when something fails, shown by letting it fail.
//!
//! What takes long is in modules named `long`: `make faults` runs them.

mod calls;
mod load;
mod scarcity;
mod upgrade;
