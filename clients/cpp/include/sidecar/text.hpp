// Text and JSON of bounded sizes, made without an allocation: a client may not fail where memory has run out.
//
// SPDX-License-Identifier: Apache-2.0 OR MIT
#ifndef SIDECAR_TEXT_HPP
#define SIDECAR_TEXT_HPP

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace sidecar {

// How many bytes the character takes that begins here: 1 to 4, or 0 where no character of UTF-8 does.
inline std::size_t character(const char *text, std::size_t rest) {
    const unsigned char *bytes = reinterpret_cast<const unsigned char *>(text);
    const unsigned char first = rest > 0 ? bytes[0] : 0xff;
    std::size_t length = 0;
    unsigned char least = 0x80, most = 0xbf; // of the second byte
    if (first < 0x80) {
        return 1;
    } else if (first >= 0xc2 && first <= 0xdf) {
        length = 2;
    } else if (first >= 0xe0 && first <= 0xef) {
        length = 3;
        least = first == 0xe0 ? 0xa0 : 0x80;
        most = first == 0xed ? 0x9f : 0xbf;
    } else if (first >= 0xf0 && first <= 0xf4) {
        length = 4;
        least = first == 0xf0 ? 0x90 : 0x80;
        most = first == 0xf4 ? 0x8f : 0xbf;
    }
    if (length == 0 || length > rest || bytes[1] < least || bytes[1] > most) {
        return 0;
    }
    for (std::size_t i = 2; i < length; ++i) {
        if (bytes[i] < 0x80 || bytes[i] > 0xbf) {
            return 0;
        }
    }
    return length;
}

// Text of at most N bytes. What comes after is left out.
template <std::size_t N> class Text {
  public:
    Text() : length_(0) { bytes_[0] = '\0'; }

    Text &add(const char *text, std::size_t length) {
        const std::size_t room = N - length_;
        const std::size_t taken = length < room ? length : room;
        std::memcpy(bytes_ + length_, text, taken);
        length_ += taken;
        bytes_[length_] = '\0';
        return *this;
    }
    Text &add(const char *text) { return text == nullptr ? *this : add(text, std::strlen(text)); }
    Text &add(char letter) { return add(&letter, 1); }
    Text &add_number(long long number) {
        char digits[24];
        std::snprintf(digits, sizeof digits, "%lld", number);
        return add(digits);
    }

    void cut(std::size_t length) {
        length_ = length < length_ ? length : length_;
        bytes_[length_] = '\0';
    }
    std::size_t length() const { return length_; }
    std::size_t room() const { return N - length_; }
    bool empty() const { return length_ == 0; }
    const char *c_str() const { return bytes_; }

  private:
    char bytes_[N + 1];
    std::size_t length_;
};

// A JSON object of at most 1 KiB that is whole after each call: long strings are cut, what has no room is left out.
class Object {
  public:
    Object() : depth_(0), first_(true) { push('{', '}'); }

    Object &string(const char *name, const char *value) {
        if (value != nullptr && begin(name)) {
            quoted(value, std::strlen(value));
        }
        return *this;
    }
    Object &number(const char *name, long long value) {
        Text<24> digits;
        digits.add_number(value);
        return begin(name, digits.length()) ? raw(digits.c_str()) : *this;
    }
    // Seconds with microseconds, whatever the locale's decimal point is.
    Object &seconds(const char *name, double value) {
        if (!(value >= 0.0 && value < 1e12)) {
            return *this;
        }
        const unsigned long long micros = static_cast<unsigned long long>(value * 1e6 + 0.5);
        char digits[32];
        std::snprintf(digits, sizeof digits, "%llu.%06llu", micros / 1000000, micros % 1000000);
        return begin(name, std::strlen(digits)) ? raw(digits) : *this;
    }
    // An object or an array in this one, up to its `close`. In an array, `name` is null.
    Object &open(const char *name, char with) {
        const bool array = with == '[';
        if (depth_ < sizeof closers_ && skipped_ == 0 && begin(name, 2)) {
            push(with, array ? ']' : '}');
        } else {
            ++skipped_;
        }
        return *this;
    }
    Object &close() {
        if (skipped_ > 0) {
            --skipped_;
        } else if (depth_ > 1) {
            const char closer = closers_[--depth_];
            text_.add(closer);
            first_ = false;
        }
        return *this;
    }
    // The text, for `sidecar_event`. Closes what is open.
    const char *done() {
        skipped_ = 0;
        while (depth_ > 0) {
            text_.add(closers_[--depth_]);
        }
        return text_.c_str();
    }
    std::size_t length() const { return text_.length(); }

  private:
    void push(char opener, char closer) {
        text_.add(opener);
        closers_[depth_++] = closer;
        first_ = true;
    }
    // The comma and the name, where they and `least` bytes of a value have room.
    bool begin(const char *name, std::size_t least = 2) {
        const std::size_t named = name == nullptr ? 0 : std::strlen(name) + 3;
        if (skipped_ > 0 || text_.room() < named + 1 + least + depth_ + 1) {
            return false;
        }
        if (!first_) {
            text_.add(',');
        }
        first_ = false;
        if (name != nullptr) {
            text_.add('"').add(name).add("\":");
        }
        return true;
    }
    Object &raw(const char *value) {
        text_.add(value);
        return *this;
    }
    void quoted(const char *value, std::size_t length) {
        text_.add('"');
        for (std::size_t at = 0; at < length;) {
            char escaped[8] = {value[at], '\0'};
            std::size_t taken = character(value + at, length - at);
            const unsigned char letter = static_cast<unsigned char>(value[at]);
            if (taken == 0) { // not UTF-8
                std::strcpy(escaped, "\\ufffd");
                taken = 1;
            } else if (letter < 0x20 || letter == '"' || letter == '\\') {
                std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(letter));
            } else {
                std::memcpy(escaped, value + at, taken);
                escaped[taken] = '\0';
            }
            if (text_.room() < std::strlen(escaped) + 1 + depth_) {
                break;
            }
            text_.add(escaped);
            at += taken;
        }
        text_.add('"');
    }

    Text<1024> text_;
    char closers_[4];
    std::size_t depth_;
    std::size_t skipped_ = 0;
    bool first_;
};

} // namespace sidecar

#endif
