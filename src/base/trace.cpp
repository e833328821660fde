#include "base/trace.h"

#include <cmath>

#include "base/file.h"

namespace filigree {
namespace {

std::string quoted(std::string_view text) { return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace); }

/// Microseconds down to a nanosecond, which is what Perfetto keeps.
std::string time_text(double us) {
  FILIGREE_ASSERT(std::isfinite(us));
  return fmt::format("{:.3f}", us);
}

std::string place(TraceRow row) { return fmt::format(R"("pid":{},"tid":{})", row.process, row.thread); }

}  // namespace

void Trace::event(std::string_view body) {
  events_ += num_events_ == 0 ? "\n" : ",\n";
  events_ += '{';
  events_ += body;
  events_ += '}';
  ++num_events_;
}

void Trace::metadata(TraceRow row, std::string_view what, std::string_view name) {
  const int index = what == "process" ? row.process : row.thread;
  event(fmt::format(R"("ph":"M","name":"{}_name",{},"args":{{"name":{}}})", what, place(row), quoted(name)));
  event(fmt::format(R"("ph":"M","name":"{}_sort_index",{},"args":{{"sort_index":{}}})", what, place(row), index));
}

void Trace::name_process(int process, std::string_view name) { metadata({process, 0}, "process", name); }

void Trace::name_thread(TraceRow row, std::string_view name) { metadata(row, "thread", name); }

void Trace::slice(const TraceSlice& slice) {
  FILIGREE_ASSERT(slice.duration_us >= 0);
  FILIGREE_ASSERT(slice.args.is_null() || slice.args.is_object());
  std::string body = fmt::format(R"("ph":"X","name":{},{},"ts":{},"dur":{})", quoted(slice.name), place(slice.row),
                                 time_text(slice.begin_us), time_text(slice.duration_us));
  if (!slice.category.empty()) body += fmt::format(R"(,"cat":{})", quoted(slice.category));
  if (!slice.args.empty()) body += ",\"args\":" + slice.args.dump(-1, ' ', false, Json::error_handler_t::replace);
  event(body);
}

void Trace::counter(int process, std::string_view name, double time_us, double value) {
  FILIGREE_ASSERT(std::isfinite(value));
  event(fmt::format(R"("ph":"C","name":{},"pid":{},"ts":{},"args":{{"value":{}}})", quoted(name), process,
                    time_text(time_us), value));
}

void Trace::arrow(TraceRow from, double begin_us, TraceRow to, double end_us) {
  ++num_arrows_;
  const std::string common = fmt::format(R"("name":"arrow","cat":"arrow","id":{})", num_arrows_);
  event(fmt::format(R"("ph":"s",{},{},"ts":{})", common, place(from), time_text(begin_us)));
  // "bp":"e" ends the arrow at the slice around the time instead of the next one.
  event(fmt::format(R"("ph":"f","bp":"e",{},{},"ts":{})", common, place(to), time_text(end_us)));
}

std::string Trace::text() const { return "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[" + events_ + "\n]}\n"; }

void Trace::write(const std::filesystem::path& path) const { write_file(path, text()); }

}  // namespace filigree
