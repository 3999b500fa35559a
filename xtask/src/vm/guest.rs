//! The guest's side: its first process, and the lines by which it tells how far it is.

use super::{
    choice::{self, Choice},
    run::PROGRAM_SECONDS,
};

/// Where the programs of the tests are.
pub(super) const PROGRAMS: &str = "/t";
/// The BPF object to test.
pub(super) const OBJECT: &str = "/t/sidecar.bpf.o";
/// An emulated machine takes 50 times as long for a hit: the tests of millions of hits make a twentieth of them.
const FEWER_HITS: &str = "SIDECAR_TEST_FEWER_HITS=20";
/// Begins the line that tells of a name in the lists of `choice` that no test has.
pub(super) const UNKNOWN: &str = "VM-UNKNOWN ";
/// The file that the first process runs.
pub(super) const JOB: &str = "job";
/// Begins the line that names the program that comes next.
pub(super) const BEGIN: &str = "VM-BEGIN ";
/// Begins the line with a program's name and its exit status.
pub(super) const END: &str = "VM-END ";
/// The last line: everything was run.
pub(super) const DONE: &str = "VM-DONE";

/// The first process. If it ended the kernel would panic, and qemu end with it.
pub(super) const INIT: &str = r#"#!/bin/sh
export PATH=/usr/bin HOME=/root TERM=dumb LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs run /run
mount -t cgroup2 cgroup /sys/fs/cgroup
ip link set lo up
cd /root
sh /job
echo o > /proc/sysrq-trigger
sleep 60
"#;

/// Prints the tests of a program that `$1` does not choose, as arguments that leave them out. `$1` is `only` or `but`, the
/// program is `$2`, the rest are names. A name that no test has is told: the list is to be mended then.
const LEFT_OUT: &str = r#"left_out() {
    choice=$1 program=$2
    shift 2
    all=$(deps/$program --list | sed -n 's/: test$//p')
    for name; do
        case " $(echo $all) " in *" $name "*) ;; *) echo "VM-UNKNOWN $program $name" >&2 ;; esac
    done
    for name in $all; do
        case " $* " in
            *" $name "*) [ $choice = but ] && echo --skip $name ;;
            *) [ $choice = only ] && echo --skip $name ;;
        esac
    done
    return 0
}
"#;

/// What the first process runs: of each program the tests that are chosen, or those whose names contain `filter`.
pub(super) fn job(programs: &[&str], filter: Option<&str>) -> String {
    let mut job = format!(
        "export CI=true {FEWER_HITS} SIDECAR_BPF_OBJECT={OBJECT} SIDECAR_TEST_AGENT={PROGRAMS}/sidecar\n\
         cd {PROGRAMS}\nexec 2>&1\nuname -r\n{LEFT_OUT}"
    );
    for program in programs {
        let arguments = match (filter, choice::of(program)) {
            (Some(word), _) => format!("'{}'", word.replace('\'', r"'\''")),
            (None, Choice::AllBut([])) => String::new(),
            (None, choice @ Choice::AllBut(_)) => left_out("but", program, choice),
            (None, choice @ Choice::Only(..)) => left_out("only", program, choice),
        };
        job.push_str(&format!(
            "echo '{BEGIN}{program}'\n\
             timeout -k 5 {PROGRAM_SECONDS} deps/{program} --color never {arguments}\n\
             echo '{END}{program} '$?\n"
        ));
    }
    job.push_str(&format!("echo {DONE}\n"));
    job
}

fn left_out(word: &str, program: &str, choice: Choice) -> String {
    format!("--exact $(left_out {word} {program} {})", choice.names().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_runs_each_program_and_says_so() {
        let job = job(&["kernel", "kernel_run"], None);
        let begins: Vec<_> = job.lines().filter(|line| line.contains(BEGIN)).collect();
        assert_eq!(begins, ["echo 'VM-BEGIN kernel'", "echo 'VM-BEGIN kernel_run'"]);
        assert!(job.ends_with("echo VM-DONE\n"), "{job}");
        assert!(
            job.contains("deps/kernel_run --color never --exact $(left_out only kernel_run every_path"),
            "{job}"
        );
    }

    #[test]
    fn a_filter_is_quoted_and_leaves_nothing_else_out() {
        let job = job(&["kernel_run"], Some("it's"));
        assert!(job.contains(r"deps/kernel_run --color never 'it'\''s'"), "{job}");
    }

    #[test]
    fn tests_are_left_out_by_name_and_unknown_names_are_told() {
        let folder = std::env::temp_dir().join(format!("sidecar-guest-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("deps")).unwrap();
        let program = folder.join("deps/p");
        std::fs::write(&program, "#!/bin/sh\nprintf 'a: test\nb_c: test\nb: test\n'").unwrap();
        let run = |words: &str| {
            let script = format!("{LEFT_OUT}\nchmod +x deps/p; left_out {words}");
            let output =
                std::process::Command::new("sh").args(["-c", &script]).current_dir(&folder).output().unwrap();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\n', ";");
            (text(&output.stdout), text(&output.stderr))
        };
        assert_eq!(run("but p b"), ("--skip b;".to_owned(), String::new()));
        assert_eq!(run("only p b"), ("--skip a;--skip b_c;".to_owned(), String::new()));
        assert_eq!(run("but p gone"), (String::new(), "VM-UNKNOWN p gone;".to_owned()));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
