#include "dynamics/systems_table.h"

/// Sprott's simple chaotic flows (Phys. Rev. E 50, R647, 1994) and relatives. Parameters and equations as in
/// williamgilpin/dysts: dysts/flows.py.
namespace filigree::dynamics::table {
namespace {

/// A flow of three coordinates and no parameters.
template <class Equations>
Flow plain(Equations equations) {
  return [equations](double, In s, Out o) { equations(s[0], s[1], s[2], o); };
}

constexpr const char* kAxes = "x y z";

const Row rows[] = {
    {"SprottA", kAxes, "Sprott's case A, conservative: the Nosé–Hoover oscillator",
     [](P) { return plain([](double x, double y, double z, Out o) { put(o, y, -x + y * z, 1 - y * y); }); }},
    {"SprottB", kAxes, "Sprott's case B: five terms, two of them products",
     [](P) { return plain([](double x, double y, double z, Out o) { put(o, y * z, x - y, 1 - x * y); }); }},
    {"SprottC", kAxes, "Sprott's case C: a product and a square",
     [](P) { return plain([](double x, double y, double z, Out o) { put(o, y * z, x - y, 1 - x * x); }); }},
    {"SprottD", kAxes, "Sprott's case D: a product and a square",
     [](P) { return plain([](double x, double y, double z, Out o) { put(o, -y, x + z, x * z + 3 * y * y); }); }},
    {"SprottE", kAxes, "Sprott's case E: a product and a square",
     [](P) { return plain([](double x, double y, double z, Out o) { put(o, y * z, x * x - y, 1 - 4 * x); }); }},
    {"SprottF", kAxes, "Sprott's case F: six terms, one square",
     [](P p) -> Flow {
       return [a = p("a")](double, In s, Out o) { put(o, s[1] + s[2], -s[0] + a * s[1], s[0] * s[0] - s[2]); };
     }},
    {"SprottG", kAxes, "Sprott's case G: six terms, one product",
     [](P p) -> Flow {
       return [a = p("a")](double, In s, Out o) { put(o, a * s[0] + s[2], s[0] * s[2] - s[1], -s[0] + s[1]); };
     }},
    {"SprottH", kAxes, "Sprott's case H: six terms, one square",
     [](P p) -> Flow {
       return [a = p("a")](double, In s, Out o) { put(o, -s[1] + s[2] * s[2], s[0] + a * s[1], s[0] - s[2]); };
     }},
    {"SprottI", kAxes, "Sprott's case I: six terms, one square",
     [](P p) -> Flow {
       return [a = p("a")](double, In s, Out o) { put(o, -a * s[1], s[0] + s[2], s[0] + s[1] * s[1] - s[2]); };
     }},
    {"SprottJ", kAxes, "Sprott's case J: six terms, one square",
     [](P) { return plain([](double x, double y, double z, Out o) { put(o, 2 * z, -2 * y + z, -x + y + y * y); }); }},
    {"SprottK", kAxes, "Sprott's case K: six terms, one product",
     [](P p) -> Flow {
       return [a = p("a")](double, In s, Out o) { put(o, s[0] * s[1] - s[2], s[0] - s[1], s[0] + a * s[2]); };
     }},
    {"SprottL", kAxes, "Sprott's case L: six terms, one square",
     [](P p) -> Flow {
       return
           [a = p("a"), b = p("b")](double, In s, Out o) { put(o, s[1] + b * s[2], a * s[0] * s[0] - s[1], 1 - s[0]); };
     }},
    {"SprottM", kAxes, "Sprott's case M: six terms, one square",
     [](P p) -> Flow {
       return [a = p("a")](double, In s, Out o) { put(o, -s[2], -s[0] * s[0] - s[1], a + a * s[0] + s[1]); };
     }},
    {"SprottN", kAxes, "Sprott's case N: six terms, one square",
     [](P) { return plain([](double x, double y, double z, Out o) { put(o, -2 * y, x + z * z, 1 + y - 2 * z); }); }},
    {"SprottO", kAxes, "Sprott's case O: six terms, one product",
     [](P p) -> Flow {
       return [a = p("a")](double, In s, Out o) { put(o, s[1], s[0] - s[2], s[0] + s[0] * s[2] + a * s[1]); };
     }},
    {"SprottP", kAxes, "Sprott's case P: six terms, one square",
     [](P p) -> Flow {
       return [a = p("a")](double, In s, Out o) { put(o, a * s[1] + s[2], -s[0] + s[1] * s[1], s[0] + s[1]); };
     }},
    {"SprottQ", kAxes, "Sprott's case Q: six terms, one square",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b")](double, In s, Out o) {
         put(o, -s[2], s[0] - s[1], a * s[0] + s[1] * s[1] + b * s[2]);
       };
     }},
    {"SprottR", kAxes, "Sprott's case R: six terms, one product",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b")](double, In s, Out o) { put(o, a - s[1], b + s[2], s[0] * s[1] - s[2]); };
     }},
    {"SprottS", kAxes, "Sprott's case S: six terms, one square",
     [](P) { return plain([](double x, double y, double z, Out o) { put(o, -x - 4 * y, x + z * z, 1 + x); }); }},
    {"SprottJerk", kAxes, "Sprott's simplest quadratic jerk: x''' = -mu x'' + x'^2 - x",
     [](P p) -> Flow {
       return [mu = p("mu")](double, In s, Out o) { put(o, s[1], s[2], -s[0] + s[1] * s[1] - mu * s[2]); };
     }},
    {"SprottMore", kAxes, "Sprott's multifractal flow, which fills space",
     [](P) {
       return plain([](double x, double y, double z, Out o) { put(o, y, -x - sign(z) * y, y * y - std::exp(-x * x)); });
     }},
    {"SprottTorus", kAxes, "Sprott's flow with a torus beside an attractor",
     [](P) {
       return plain([](double x, double y, double z, Out o) {
         put(o, y + 2 * x * y + x * z, 1 - 2 * x * x + y * z, x - x * x - y * y);
       });
     }},
};

}  // namespace

std::span<const Row> sprott_rows() { return rows; }

}  // namespace filigree::dynamics::table
