// Tells sidecar of the tests of googletest (1.10 and later).
//
// Link src/gtest.cpp and there is nothing else to do. Who would rather register by hand writes in main, after
// testing::InitGoogleTest:
//
//     sidecar::register_gtest();
//
// SPDX-License-Identifier: Apache-2.0 OR MIT
#ifndef SIDECAR_GTEST_HPP
#define SIDECAR_GTEST_HPP

#include <atomic>
#include <cstdlib>

#include <gtest/gtest.h>

#include "client.hpp"

namespace sidecar {

// The listener. It keeps the number of the round, and where the program is.
class GtestListener : public testing::EmptyTestEventListener {
  public:
    GtestListener() : round_(1), in_test_(false), suite_(nullptr) {}

    // --gtest_repeat: each round is an attempt.
    void OnTestIterationStart(const testing::UnitTest &, int iteration) override {
        round_ = static_cast<std::uint32_t>(iteration) + 1;
    }

    void OnTestSuiteStart(const testing::TestSuite &suite) override { suite_ = suite.name(); }
    void OnTestSuiteEnd(const testing::TestSuite &) override { suite_ = nullptr; }

    void OnTestStart(const testing::TestInfo &info) override {
        in_test_ = true;
        if (speaker_.listened(SIDECAR_MARKER_TEST_START)) {
            Id id;
            Test(named(id, info), round_).start(info.test_suite_name());
        }
    }

    void OnTestEnd(const testing::TestInfo &info) override {
        in_test_ = false;
        const bool details = speaker_.listened(SIDECAR_MARKER_EVENT);
        if (!details && !speaker_.listened(SIDECAR_MARKER_TEST_END)) {
            return;
        }
        Id id;
        const testing::TestResult &result = *info.result();
        const Test test(named(id, info), round_);
        if (details) {
            Object data;
            describe(data, info, result);
            test.event("test_info", data);
        }
        Message message;
        collect(message, result);
        const sidecar_status status = result.Failed()    ? SIDECAR_FAILED
                                      : result.Skipped() ? SIDECAR_SKIPPED
                                                         : SIDECAR_PASSED;
        test.end(status, static_cast<double>(result.elapsed_time()) / 1e3, message);
    }

    // A failure that belongs to no test: of a suite's set-up or of an environment's. Any thread may report one, and
    // googletest holds its lock meanwhile, so it can't be asked where it is.
    void OnTestPartResult(const testing::TestPartResult &part) override {
        if (!part.failed() || in_test_ || !speaker_.listened(SIDECAR_MARKER_EVENT)) {
            return;
        }
        Object data;
        data.string("file", part.file_name()).number("line", part.line_number());
        data.string("suite", suite_).string("message", part.message());
        const char *text = data.done();
        sidecar_event(0, "setup_failure", nullptr, run_id(), text, data.length());
    }

  private:
    static const Id &named(Id &id, const testing::TestInfo &info) {
        return id.add(info.test_suite_name()).add('.').add(info.name());
    }

    static void describe(Object &data, const testing::TestInfo &info, const testing::TestResult &result) {
        data.string("file", info.file()).number("line", info.line());
        const char *shard = std::getenv("GTEST_SHARD_INDEX");
        const char *shards = std::getenv("GTEST_TOTAL_SHARDS");
        if (shard != nullptr && shards != nullptr) {
            data.string("worker", Text<64>().add("shard ").add(shard).add(" of ").add(shards).c_str());
        }
        data.string("type_param", info.type_param()).string("value_param", info.value_param());
        if (result.test_property_count() > 0) {
            data.open("properties", '{');
            for (int i = 0; i < result.test_property_count(); ++i) {
                const testing::TestProperty &property = result.GetTestProperty(i);
                data.string(property.key(), property.value());
            }
            data.close();
        }
    }

    // What failed, or why it was skipped.
    static void collect(Message &message, const testing::TestResult &result) {
        const bool failed = result.Failed();
        for (int i = 0; i < result.total_part_count() && message.room() > 0; ++i) {
            const testing::TestPartResult &part = result.GetTestPartResult(i);
            if (failed ? part.failed() : part.skipped()) {
                add_failure(message, part.file_name(), part.line_number(), part.message());
            }
        }
    }

    Speaker speaker_;
    std::uint32_t round_;
    std::atomic<bool> in_test_;
    std::atomic<const char *> suite_;
};

// Registers the listener, once a program. googletest owns it.
inline bool register_gtest() {
    static const bool once = [] {
        testing::UnitTest::GetInstance()->listeners().Append(new GtestListener);
        return true;
    }();
    return once;
}

} // namespace sidecar

#endif
