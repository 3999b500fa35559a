//! Functions whose return must not be watched. To see a return, the kernel puts an address of its own in the place of the
//! one to return to; so there has to be one, and nobody may look at it meanwhile.

use crate::elf::Function;

/// What is at the top of the stack there is no address to return to.
const NOT_CALLED: &str =
    "it is not called, so that what a watched return would overwrite is no address to return to";
/// It is kept for later, or handed on.
const KEPT: &str = "it keeps the address that it returns to, and a later jump there would crash";
/// Who the caller is decides what it does.
const ASKS: &str = "it looks at the address that it returns to, to know its caller";
/// A probe there would only leave an entry behind.
const NEVER: &str = "it never returns";

/// Where the system or the kernel's signals begin: by their names in the C libraries.
const STARTS: [&str; 8] = [
    "_start",
    "_dl_start",
    "_dl_start_user",
    "_dlstart",
    "__restore_rt",
    "__kernel_rt_sigreturn",
    "__start_context",
    "_rt0_amd64_linux",
];
/// Functions that return twice, or on another stack.
const KEEPERS: [&str; 17] = [
    "setjmp",
    "_setjmp",
    "__setjmp",
    "sigsetjmp",
    "__sigsetjmp",
    "getcontext",
    "__getcontext",
    "swapcontext",
    "__swapcontext",
    "vfork",
    "__vfork",
    "clone",
    "__clone",
    "clone3",
    "__clone3",
    "__libc_vfork",
    "__clone_internal",
];
const ASKERS: [&str; 9] = [
    "dlopen",
    "dlmopen",
    "dlsym",
    "dlvsym",
    "__libc_dlopen_mode",
    "__libc_dlsym",
    "mcount",
    "_mcount",
    "__fentry__",
];
const ENDS: [&str; 36] = [
    "_Exit",
    "_Unwind_Resume",
    "__assert",
    "__assert_fail",
    "__assert_perror_fail",
    "__chk_fail",
    "__cxa_bad_cast",
    "__cxa_bad_typeid",
    "__cxa_call_unexpected",
    "__cxa_pure_virtual",
    "__cxa_rethrow",
    "__cxa_throw",
    "__fortify_fail",
    "__libc_fatal",
    "__libc_longjmp",
    "__libc_siglongjmp",
    "__longjmp_chk",
    "__pthread_exit",
    "__stack_chk_fail",
    "_exit",
    "_longjmp",
    "_ZSt9terminatev",
    "_ZSt10unexpectedv",
    "abort",
    "err",
    "errx",
    "exit",
    "longjmp",
    "pthread_exit",
    "quick_exit",
    "rust_begin_unwind",
    "rust_panic",
    "siglongjmp",
    "thrd_exit",
    "verr",
    "verrx",
];

/// Why the return of a function must not be watched, if so. `start` is the address at which the program begins.
pub(super) fn obstacle(function: &Function, start: Option<u64>) -> Option<&'static str> {
    let is_one_of = |names: &[&str]| names.contains(&function.name.as_str());
    // The loader's trampolines have variants for the processor's features.
    let is_trampoline =
        function.name.starts_with("_dl_runtime_resolve") || function.name.starts_with("_dl_tlsdesc");
    if start == Some(function.address) || is_one_of(&STARTS) || is_trampoline {
        Some(NOT_CALLED)
    } else if is_one_of(&KEEPERS) {
        Some(KEPT)
    } else if is_one_of(&ASKERS) {
        Some(ASKS)
    } else if is_one_of(&ENDS) {
        Some(NEVER)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::{Entry, EntryCost};

    #[test]
    fn what_begins_keeps_asks_or_ends_has_no_return() {
        let function = |name: &str| Function {
            name: name.to_owned(),
            demangled: String::new(),
            address: 0x1000,
            offset: 0x1000,
            size: 8,
            is_start: true,
            entry: Entry { offset: 0x1000, cost: EntryCost::Emulated },
        };
        for (name, why) in [
            ("_start", Some(NOT_CALLED)),
            ("_dl_runtime_resolve_xsavec", Some(NOT_CALLED)),
            ("__sigsetjmp", Some(KEPT)),
            ("vfork", Some(KEPT)),
            ("dlsym", Some(ASKS)),
            ("abort", Some(NEVER)),
            ("main", None),
            ("", None),
        ] {
            assert_eq!(obstacle(&function(name), None), why, "{name}");
            assert_eq!(obstacle(&function(name), Some(0x2000)), why, "{name}");
        }
        // A stripped program begins where its header says.
        assert_eq!(obstacle(&function(""), Some(0x1000)), Some(NOT_CALLED));
    }
}
