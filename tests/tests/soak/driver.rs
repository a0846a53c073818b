//! The program that opens and closes sessions in the machine.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use tests::{Background, Machine};

/// `pam-soak`, running; ends when dropped.
pub struct Driver<'machine> {
    _program: Background<'machine>,
    words: UnixStream,
    answers: BufReader<UnixStream>,
}

impl<'machine> Driver<'machine> {
    pub fn start(machine: &'machine Machine) -> Self {
        let mut program = machine.spawn("exec pam-soak");
        program.until_it_says("listens");
        let socket = format!("/proc/{}/root/run/soak.sock", machine.init());
        let words = UnixStream::connect(socket).expect("it listens");
        let answers = BufReader::new(words.try_clone().expect("descriptors are left"));
        Self {
            _program: program,
            words,
            answers,
        }
    }

    /// Says a line and hears one.
    pub fn say(&mut self, line: &str) -> String {
        writeln!(self.words, "{line}").expect("it listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("it answers");
        assert!(answer.ends_with('\n'), "pam-soak is gone, after {line}");
        answer.trim_end().to_owned()
    }

    /// How many descriptors it has.
    pub fn descriptors(&mut self) -> usize {
        let said = self.say("descriptors");
        said.parse().unwrap_or_else(|_| panic!("a number: {said}"))
    }
}
