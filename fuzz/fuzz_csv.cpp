#include "base/csv.h"
#include "plan/operator_timings.h"
#include "plan/router_trace.h"
#include "support.h"

/// Any text as CSV, as a router trace and as operator timings; what was read is written and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace filigree;
  const std::string_view text = fuzz::as_text(data, size);
  fuzz::refuse_or_read([&] {
    const Csv csv = parse_csv(text, "input");
    const Csv again = parse_csv(to_csv(csv.header, csv.rows), "output");
    fuzz::require(again.header == csv.header && again.rows == csv.rows);
  });
  fuzz::refuse_or_read([&] {
    const plan::RouterTrace trace = plan::parse_router_trace(text, "input");
    const std::string written = plan::to_csv(trace);
    fuzz::require(plan::to_csv(plan::parse_router_trace(written, "output")) == written);
  });
  fuzz::refuse_or_read([&] {
    const std::string written = plan::to_csv(plan::parse_operator_timings(text, "input"));
    fuzz::require(plan::to_csv(plan::parse_operator_timings(written, "output")) == written);
  });
  return 0;
}
