// Tells sidecar of the tests of Catch2: version 2 (2.13), and version 3 where its headers are found.
//
// Link src/catch2.cpp and there is nothing else to do.
//
// SPDX-License-Identifier: Apache-2.0 OR MIT
#ifndef SIDECAR_CATCH2_HPP
#define SIDECAR_CATCH2_HPP

#include <string>

#if defined(__has_include)
#if __has_include(<catch2/reporters/catch_reporter_event_listener.hpp>)
#define SIDECAR_CATCH2_3
#endif
#endif

#ifdef SIDECAR_CATCH2_3
#include <catch2/catch_test_case_info.hpp>
#include <catch2/catch_timer.hpp>
#include <catch2/interfaces/catch_interfaces_reporter.hpp>
#include <catch2/reporters/catch_reporter_event_listener.hpp>
#include <catch2/reporters/catch_reporter_registrars.hpp>
#else
#ifndef CATCH_CONFIG_EXTERNAL_INTERFACES
#define CATCH_CONFIG_EXTERNAL_INTERFACES
#endif
#include <catch2/catch.hpp>
#endif

#include "client.hpp"

namespace sidecar {

#ifdef SIDECAR_CATCH2_3
typedef Catch::EventListenerBase Catch2Base;
#else
typedef Catch::TestEventListenerBase Catch2Base;
#endif

// The listener. A TEST_CASE is a test, and each of its sections an event.
class Catch2Listener : public Catch2Base {
  public:
    using Catch2Base::Catch2Base;

    void testCaseStarting(Catch::TestCaseInfo const &info) override {
        Catch2Base::testCaseStarting(info);
        current_ = &info;
        seconds_ = 0.0;
        depth_ = 0;
        path_.cut(0);
        result_ = SIDECAR_PASSED;
        message_.cut(0);
        if (speaker_.listened(SIDECAR_MARKER_TEST_START)) {
            Id id;
            Text<256> suite; // the class of its fixture
            suite.add(info.className.data(), info.className.size());
            Test(named(id, info), 1).start(suite.empty() ? nullptr : suite.c_str());
        }
    }

    void sectionStarting(Catch::SectionInfo const &info) override {
        Catch2Base::sectionStarting(info);
        if (depth_ == 0) {
            timer_.start();
        } else if (depth_ < MOST) {
            begins_[depth_] = path_.length();
            path_.add(depth_ == 1 ? "" : "/").add(info.name.data(), info.name.size());
        }
        ++depth_;
    }

    // The outermost section is the test itself, run once for each way through its sections. Where an exception ended it,
    // version 2 knows no duration.
    void sectionEnded(Catch::SectionStats const &stats) override {
        depth_ -= depth_ > 0 ? 1 : 0;
        if (depth_ == 0) {
            seconds_ += stats.durationInSeconds > 0.0 ? stats.durationInSeconds : timer_.getElapsedSeconds();
        } else if (depth_ < MOST) {
            if (current_ != nullptr && speaker_.listened(SIDECAR_MARKER_EVENT)) {
                tell(stats);
            }
            path_.cut(begins_[depth_]);
        }
        Catch2Base::sectionEnded(stats);
    }

#ifdef SIDECAR_CATCH2_3
    void assertionEnded(Catch::AssertionStats const &stats) override { collect(stats); }
#else
    bool assertionEnded(Catch::AssertionStats const &stats) override {
        collect(stats);
        return false;
    }
#endif

    void testCaseEnded(Catch::TestCaseStats const &stats) override {
        if (current_ != nullptr) {
            end(*current_, stats);
        }
        current_ = nullptr;
        Catch2Base::testCaseEnded(stats);
    }

  private:
    void end(Catch::TestCaseInfo const &info, Catch::TestCaseStats const &stats) {
        const bool details = speaker_.listened(SIDECAR_MARKER_EVENT);
        if (details || speaker_.listened(SIDECAR_MARKER_TEST_END)) {
            Id id;
            const Test test(named(id, info), 1);
            if (details) {
                Object data;
                data.string("file", info.lineInfo.file);
                data.number("line", static_cast<long long>(info.lineInfo.line));
                data.open("tags", '[');
                for (auto const &tag : info.tags) {
                    data.string(nullptr, text(tag).c_str());
                }
                data.close();
                test.event("test_info", data);
            }
            test.end(status(info, stats), seconds_, message_);
        }
    }

#ifdef SIDECAR_CATCH2_3
    static std::string text(Catch::Tag const &tag) { return std::string(tag.original.data(), tag.original.size()); }
#else
    static std::string const &text(std::string const &tag) { return tag; }
#endif

    // `section` is the way to it, as the JUnit reporter writes it behind the test's name.
    void tell(Catch::SectionStats const &stats) {
        const Catch::SourceLineInfo where = stats.sectionInfo.lineInfo;
        Object data;
        data.string("section", path_.c_str());
        data.string("file", where.file).number("line", static_cast<long long>(where.line));
        data.number("assertions", static_cast<long long>(stats.assertions.total()));
        data.number("failed", static_cast<long long>(stats.assertions.failed + stats.assertions.failedButOk));
        data.seconds("seconds", stats.durationInSeconds);
        Id id;
        Test(named(id, *current_), 1).event("section", data);
    }

    static const Id &named(Id &id, Catch::TestCaseInfo const &info) {
        return id.add(info.name.c_str(), info.name.size());
    }

    // What failed, and what kind of failure was the gravest.
    void collect(Catch::AssertionStats const &stats) {
        Catch::AssertionResult const &result = stats.assertionResult;
        if (result.succeeded()) {
#ifdef SIDECAR_CATCH2_3
            if (result.getResultType() == Catch::ResultWas::ExplicitSkip) {
                fail(SIDECAR_SKIPPED, result);
            }
#endif
            return;
        }
        switch (result.getResultType()) {
        case Catch::ResultWas::FatalErrorCondition:
            fail(SIDECAR_ABORTED, result);
            break;
        case Catch::ResultWas::ThrewException:
            fail(result_ == SIDECAR_PASSED ? SIDECAR_ERROR : result_, result);
            break;
        default:
            fail(result_ == SIDECAR_ABORTED ? result_ : SIDECAR_FAILED, result);
        }
    }

    void fail(enum sidecar_status status, Catch::AssertionResult const &result) {
        result_ = status;
        if (message_.room() == 0 || sidecar_enabled(SIDECAR_MARKER_TEST_END) == 0) {
            return;
        }
        const Catch::SourceLineInfo where = result.getSourceInfo();
        add_failure(message_, where.file, static_cast<long>(where.line), nullptr);
        add(result.getExpressionInMacro());
        if (result.hasExpandedExpression()) {
            message_.add(" with expansion: ");
            add(result.getExpandedExpression());
        }
        if (result.hasMessage()) {
            message_.add(": ");
            message_.add(result.getMessage().data(), result.getMessage().size());
        }
    }
    void add(std::string const &text) { message_.add(text.data(), text.size()); }

    // Catch2's own count has the last word: of what may fail, nothing counts as failed.
    enum sidecar_status status(Catch::TestCaseInfo const &info, Catch::TestCaseStats const &stats) const {
        const bool failed = stats.totals.testCases.failed > 0;
        if (stats.totals.testCases.failedButOk > 0) {
            return result_ == SIDECAR_ABORTED ? result_ : SIDECAR_XFAIL;
        }
        if (failed && result_ == SIDECAR_PASSED) {
            return info.expectedToFail() ? SIDECAR_XPASS : SIDECAR_FAILED;
        }
        return failed || result_ == SIDECAR_SKIPPED ? result_ : SIDECAR_PASSED;
    }

    // How many sections inside each other are told.
    static constexpr std::size_t MOST = 16;

    Speaker speaker_;
    Catch::TestCaseInfo const *current_ = nullptr;
    Message message_;
    Catch::Timer timer_;
    double seconds_ = 0.0;
    std::size_t depth_ = 0;
    Text<900> path_;
    std::size_t begins_[MOST] = {};
    enum sidecar_status result_ = SIDECAR_PASSED;
};

} // namespace sidecar

#endif
