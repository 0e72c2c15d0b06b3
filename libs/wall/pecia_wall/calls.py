"""The system calls that each kind of work needs, and those that no honest work asks for."""

from pecia_wall.seccomp import Call, Filter

_EXECUTABLE = 0x4  # PROT_EXEC
_SET_PDEATHSIG, _SET_SECCOMP = 1, 22


def _named(*names: str) -> tuple[Call, ...]:
    return tuple(Call(name) for name in names)


# Who asks for these has been taken over: the process ends.
_FATAL = _named(
    *("execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd"),
    *("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "keyctl", "add_key", "request_key"),
    *("mount", "umount2", "pivot_root", "unshare", "setns", "init_module", "finit_module", "kexec_load"),
)

# Memory, locks, clocks and an end. No new memory can be run, so that no code can be brought along.
_COMPUTING = (
    *_named("brk", "munmap", "mremap", "madvise", "futex", "rt_sigreturn", "restart_syscall"),
    *_named("exit", "exit_group", "clock_gettime", "clock_getres", "gettimeofday", "getrandom", "getpid"),
    *_named("gettid", "sched_yield", "rt_sigprocmask", "rt_sigaction", "sigaltstack", "getrusage", "close"),
    Call("mmap", argument=2, mask=_EXECUTABLE),
    Call("mprotect", argument=2, mask=_EXECUTABLE),
)
# What is open may be read and written, and descriptors come over a socket that is.
_TALKING = _named(
    *("read", "readv", "pread64", "write", "writev", "recvmsg", "recvfrom", "sendmsg", "sendto", "poll"),
    *("ppoll", "lseek", "fstat", "newfstatat", "statx", "dup", "dup2", "dup3", "fcntl", "ioctl"),
)
# Of its own limits only: by number 0, nobody else's.
_OWN_LIMITS = (Call("prlimit64", argument=0), *_named("getrlimit", "setrlimit"))
_OPENING = _named(
    "openat", "open", "getdents64", "readlink", "readlinkat", "access", "faccessat", "faccessat2"
)
_FORKING = (
    *_named("clone", "clone3", "fork", "vfork", "wait4", "waitid", "getppid", "set_robust_list", "rseq"),
    *_named("set_tid_address", "kill"),  # Landlock lets signals reach whom it has started, and nobody else
    Call("prctl", argument=0, value=_SET_PDEATHSIG),
    Call("prctl", argument=0, value=_SET_SECCOMP),
)

# Decodes one picture from memory to memory, and ends.
DECODING = Filter(allowed=(*_COMPUTING, *_OWN_LIMITS), fatal=_FATAL)
# Hears of files and touches none: each gets a process of its own.
FORKING = Filter(allowed=(*_COMPUTING, *_TALKING, *_OWN_LIMITS, *_FORKING), fatal=_FATAL)
# The same, whose processes open fonts.
FORKING_DRAWERS = Filter(allowed=(*FORKING.allowed, *_OPENING), fatal=_FATAL)
# Draws pages, and looks at fonts where Landlock says which files those are.
DRAWING = Filter(allowed=(*_COMPUTING, *_TALKING, *_OWN_LIMITS, *_OPENING), fatal=_FATAL)
# The same where no Landlock bounds what can be opened: nothing can.
DRAWING_BLIND = Filter(allowed=(*_COMPUTING, *_TALKING, *_OWN_LIMITS), fatal=_FATAL)

_WITHOUT_EXEC = tuple(call for call in _FATAL if call.name not in ("execve", "execveat"))
_SERVING = _named("bind", "listen", "accept", "accept4", "open_by_handle_at", "chroot")
_AF_INET, _AF_INET6, _AF_PACKET = 2, 10, 17
# Computes with libraries that want much of a kernel: all but what leads out of the process.
COMPUTING = Filter(refused=(*_WITHOUT_EXEC, *_SERVING, *_named("socket", "connect")))
# Drivers speak to daemons over sockets of the machine, and lend memory by descriptors.
_LENDING = ("kcmp", "pidfd_getfd", "perf_event_open")
COMPUTING_ON_GPU = Filter(
    refused=(
        *(call for call in _WITHOUT_EXEC if call.name not in _LENDING),
        *_SERVING,
        *(Call("socket", argument=0, value=family) for family in (_AF_INET, _AF_INET6, _AF_PACKET)),
    )
)
# For one that asks a server.
ASKING = Filter(refused=(*_WITHOUT_EXEC, *_SERVING))
