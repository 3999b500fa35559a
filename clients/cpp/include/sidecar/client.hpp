// What the clients for C++ test frameworks share: who speaks, for which run, and the markers of one test.
//
// SPDX-License-Identifier: Apache-2.0 OR MIT
#ifndef SIDECAR_CLIENT_HPP
#define SIDECAR_CLIENT_HPP

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include <sys/types.h>
#include <unistd.h>

#include <sidecar.h>

#include "text.hpp"

namespace sidecar {

// A test's full id, a message: more than the markers carry of either.
typedef Text<4096> Id;
typedef Text<1100> Message;

// The id of this run: the environment's SIDECAR_RUN_ID, so that the processes of one run agree; without it the
// NEXTEST_RUN_ID that cargo-nextest sets; without that, one made of the process id and the clock.
inline const char *run_id() {
    struct Chosen {
        char made[64];
        const char *id;
        Chosen() {
            const char *names[] = {"SIDECAR_RUN_ID", "NEXTEST_RUN_ID"};
            for (const char *name : names) {
                id = std::getenv(name);
                if (id != nullptr && *id != '\0') {
                    return;
                }
            }
            struct timespec now = {};
            clock_gettime(CLOCK_REALTIME, &now);
            std::snprintf(made, sizeof made, "%lx-%llx", static_cast<unsigned long>(getpid()),
                          static_cast<unsigned long long>(now.tv_sec) * 1000000000ULL +
                              static_cast<unsigned long long>(now.tv_nsec));
            id = made;
        }
    };
    static const Chosen chosen;
    return chosen.id;
}

// The process that runs the tests. What it forks runs parts of one, and is silent: the test is told once.
class Speaker {
  public:
    Speaker() : process_(getpid()), fits_(sidecar_abi_version() == SIDECAR_ABI_VERSION), refused_(false) {}

    bool listened(enum sidecar_marker marker) {
        if (sidecar_enabled(marker) == 0 || getpid() != process_) {
            return false;
        }
        if (!fits_ && !refused_) {
            // Compiled for another library than this one: nothing that it might take for something else, only that. An
            // anomaly is the same in every version.
            refused_ = true;
            sidecar_anomaly("test_events", "abi_mismatch");
        }
        return fits_;
    }

  private:
    pid_t process_;
    bool fits_;
    bool refused_;
};

// One attempt at one test.
class Test {
  public:
    Test(const Id &id, std::uint32_t attempt) : id_(id), key_(sidecar_key(run_id(), id.c_str())), attempt_(attempt) {}

    void start(const char *suite) const {
        start_by(sidecar_test_start, suite);
    }
    void event(const char *type, Object &data) const {
        const char *text = data.done();
        sidecar_event(key_, type, id_.c_str(), run_id(), text, data.length());
    }
    // The duration is the framework's own; one that is none is told as 0.
    void end(enum sidecar_status status, double seconds, const Message &message) const {
        const bool sane = seconds > 0.0 && seconds < 1e9;
        const std::uint64_t duration_ns = sane ? static_cast<std::uint64_t>(seconds * 1e9) : 0;
        const char *text = message.empty() ? nullptr : message.c_str();
        sidecar_test_end(key_, id_.c_str(), status, duration_ns, text, attempt_);
    }

  private:
    // The header of ABI version 1 has no process of a worker. Later ones have it, and 0 is this process.
    void start_by(void (*marker)(std::uint64_t, const char *, const char *, const char *, std::uint32_t),
                  const char *suite) const {
        marker(key_, id_.c_str(), run_id(), suite, attempt_);
    }
    template <typename Process>
    void start_by(void (*marker)(std::uint64_t, const char *, const char *, const char *, std::uint32_t, Process),
                  const char *suite) const {
        marker(key_, id_.c_str(), run_id(), suite, attempt_, Process());
    }

    const Id &id_;
    std::uint64_t key_;
    std::uint32_t attempt_;
};

// Adds `file:line: text` to a message, on a line of its own.
inline void add_failure(Message &message, const char *file, long line, const char *text) {
    if (!message.empty()) {
        message.add('\n');
    }
    if (file != nullptr && *file != '\0') {
        message.add(file).add(':').add_number(line).add(": ");
    }
    message.add(text);
}

} // namespace sidecar

#endif
