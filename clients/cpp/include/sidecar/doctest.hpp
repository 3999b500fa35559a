// Tells sidecar of the tests of doctest (2.4).
//
// Link src/doctest.cpp and there is nothing else to do.
//
// SPDX-License-Identifier: Apache-2.0 OR MIT
#ifndef SIDECAR_DOCTEST_HPP
#define SIDECAR_DOCTEST_HPP

#if defined(__has_include)
#if __has_include(<doctest/doctest.h>)
#include <doctest/doctest.h>
#else
#include <doctest.h>
#endif
#else
#include <doctest/doctest.h>
#endif

#include <mutex>
#include <ostream>
#include <streambuf>

#include "client.hpp"

namespace sidecar {

// The listener. A TEST_CASE is a test, and each of its subcases an event.
class DoctestListener : public doctest::IReporter {
  public:
    explicit DoctestListener(const doctest::ContextOptions &options) : options_(options) {}

    void report_query(const doctest::QueryData &) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats &) override {}

    void test_case_start(const doctest::TestCaseData &data) override {
        current_ = &data;
        failed_ = false;
        message_.cut(0);
        if (speaker_.listened(SIDECAR_MARKER_TEST_START)) {
            Id id;
            Test(named(id, data), 1).start(suite(data));
        }
    }
    void test_case_reenter(const doctest::TestCaseData &) override {}

    void test_case_end(const doctest::CurrentTestCaseStats &stats) override {
        if (current_ != nullptr) {
            end(*current_, status(stats), stats.seconds);
        }
        current_ = nullptr;
    }

    // doctest says this of what its filters leave out, and of what has its `skip` decorator. Only the latter is told.
    void test_case_skipped(const doctest::TestCaseData &data) override {
        if (!data.m_skip || options_.no_skip) {
            return;
        }
        message_.cut(0);
        if (speaker_.listened(SIDECAR_MARKER_TEST_START)) {
            Id id;
            Test(named(id, data), 1).start(suite(data));
        }
        end(data, SIDECAR_SKIPPED, 0.0);
    }

    void test_case_exception(const doctest::TestCaseException &exception) override {
        std::unique_lock<std::mutex> turn(turn_, std::defer_lock);
        if (!exception.is_crash) { // which a signal's handler tells, wherever the thread was
            turn.lock();
        }
        if (current_ != nullptr) {
            add_failure(message_, current_->m_file.c_str(), static_cast<long>(current_->m_line),
                        exception.error_string.c_str());
        }
    }

    void subcase_start(const doctest::SubcaseSignature &subcase) override {
        if (current_ == nullptr || !speaker_.listened(SIDECAR_MARKER_EVENT)) {
            return;
        }
        Object data;
        data.string("subcase", subcase.m_name.c_str());
        data.string("file", subcase.m_file).number("line", subcase.m_line);
        Id id;
        Test(named(id, *current_), 1).event("subcase", data);
    }
    void subcase_end() override {}

    // Any thread may assert.
    void log_assert(const doctest::AssertData &assertion) override {
        if (!assertion.m_failed) {
            return;
        }
        const std::lock_guard<std::mutex> turn(turn_);
        const bool warning = (assertion.m_at & doctest::assertType::is_warn) != 0;
        if (warning || sidecar_enabled(SIDECAR_MARKER_TEST_END) == 0) {
            failed_ = failed_ || !warning;
            return;
        }
        failed_ = true;
        add_failure(message_, assertion.m_file, assertion.m_line, doctest::assertString(assertion.m_at));
        message_.add("( ").add(assertion.m_expr).add(" )");
        if (assertion.m_threw) {
            message_.add(" threw: ").add(assertion.m_exception.c_str());
        } else if (assertion.m_decomp.size() > 0) {
            message_.add(" values: ").add(assertion.m_decomp.c_str());
        }
        // What INFO, CAPTURE and the message of the assertion say.
        Sink sink(message_);
        std::ostream stream(&sink);
        for (int i = 0; i < doctest::IReporter::get_num_active_contexts(); ++i) {
            stream << (i == 0 ? ": " : "; ");
            doctest::IReporter::get_active_contexts()[i]->stringify(&stream);
        }
    }
    void log_message(const doctest::MessageData &data) override {
        if ((data.m_severity & doctest::assertType::is_warn) != 0) {
            return;
        }
        const std::lock_guard<std::mutex> turn(turn_);
        failed_ = true;
        add_failure(message_, data.m_file, data.m_line, data.m_string.c_str());
    }

  private:
    // Lets a stream write into a message.
    class Sink : public std::streambuf {
      public:
        explicit Sink(Message &message) : message_(message) {}

      protected:
        int_type overflow(int_type letter) override {
            if (letter != traits_type::eof()) {
                message_.add(traits_type::to_char_type(letter));
            }
            return traits_type::not_eof(letter);
        }
        std::streamsize xsputn(const char *text, std::streamsize length) override {
            message_.add(text, static_cast<std::size_t>(length));
            return length;
        }

      private:
        Message &message_;
    };

    static const char *suite(const doctest::TestCaseData &data) {
        const char *name = data.m_test_suite;
        return name == nullptr || *name == '\0' ? nullptr : name;
    }

    // doctest has no full id: suites may have tests of one name.
    static const Id &named(Id &id, const doctest::TestCaseData &data) {
        if (suite(data) != nullptr) {
            id.add(suite(data)).add('/');
        }
        return id.add(data.m_name);
    }

    void end(const doctest::TestCaseData &data, enum sidecar_status status, double seconds) {
        const bool details = speaker_.listened(SIDECAR_MARKER_EVENT);
        if (!details && !speaker_.listened(SIDECAR_MARKER_TEST_END)) {
            return;
        }
        Id id;
        const Test test(named(id, data), 1);
        if (details) {
            Object info;
            info.string("file", data.m_file.c_str()).number("line", data.m_line);
            info.string("description", data.m_description);
            test.event("test_info", info);
        }
        test.end(status, seconds, message_);
    }

    // doctest's own verdict, told apart by its reasons.
    enum sidecar_status status(const doctest::CurrentTestCaseStats &stats) const {
        namespace reason = doctest::TestCaseFailureReason;
        const auto has = [&stats](int flag) { return (stats.failure_flags & flag) != 0; };
        if (has(reason::Crash)) {
            return SIDECAR_ABORTED;
        }
        if (has(reason::ShouldHaveFailedAndDid) || has(reason::FailedExactlyNumTimes) ||
            has(reason::CouldHaveFailedAndDid)) {
            return SIDECAR_XFAIL;
        }
        if (has(reason::ShouldHaveFailedButDidnt)) {
            return SIDECAR_XPASS;
        }
        if (stats.failure_flags == reason::None) {
            return SIDECAR_PASSED;
        }
        if (has(reason::Timeout) && !failed_ && !has(reason::Exception)) {
            return SIDECAR_TIMEOUT;
        }
        return has(reason::Exception) && !failed_ ? SIDECAR_ERROR : SIDECAR_FAILED;
    }

    const doctest::ContextOptions &options_;
    Speaker speaker_;
    std::mutex turn_;
    const doctest::TestCaseData *current_ = nullptr;
    Message message_;
    bool failed_ = false;
};

} // namespace sidecar

#endif
