#include "dynamics/systems_table.h"

/// Chaotic flows of three coordinates with polynomial equations, the relatives of Lorenz's and Rössler's first.
/// Parameters and equations as in williamgilpin/dysts: dysts/flows.py.
namespace filigree::dynamics::table {
namespace {

constexpr const char* kAxes = "x y z";

Flow arneodo(P p) {
  return [a = p("a"), b = p("b"), c = p("c"), d = p("d")](double, In s, Out o) {
    const auto [x, y, z] = at<3>(s);
    put(o, y, z, -a * x - b * y - c * z + d * cube(x));
  };
}

Flow sakarya(P p) {
  return [a = p("a"), b = p("b"), c = p("c"), h = p("h"), e = p("p"), q = p("q"), r = p("r"), f = p("s")](double, In s,
                                                                                                          Out o) {
    const auto [x, y, z] = at<3>(s);
    put(o, a * x + h * y + f * y * z, -b * y - e * x + q * x * z, c * z - r * x * y);
  };
}

Flow bouali(P p) {
  return [a = p("a"), b = p("b"), e = p("bb"), c = p("c"), g = p("g"), m = p("m"), y0 = p("y0")](double, In s, Out o) {
    const auto [x, y, z] = at<3>(s);
    put(o, a * x * (y0 - y) - b * z, -g * y * (1 - x * x), -1.5 * m * x + m * e * x * z - c * z);
  };
}

Flow dequan_li(P p) {
  return [a = p("a"), c = p("c"), d = p("d"), e = p("eps"), f = p("f"), k = p("k")](double, In s, Out o) {
    const auto [x, y, z] = at<3>(s);
    put(o, a * (y - x) + d * x * z, k * x + f * y - x * z, c * z + x * y - e * x * x);
  };
}

Flow thomas(P p) {
  return [a = p("a"), b = p("b")](double, In s, Out o) {
    const auto [x, y, z] = at<3>(s);
    put(o, -a * x + b * std::sin(y), -a * y + b * std::sin(z), -a * z + b * std::sin(x));
  };
}

/// The quadratic flow of Lorenz's form: a (y - x), b x + c y - x z, x y - d z.
Flow lorenz_like(double a, double b, double c, double d) {
  return [=](double, In s, Out o) {
    const auto [x, y, z] = at<3>(s);
    put(o, a * (y - x), b * x + c * y - x * z, x * y - d * z);
  };
}

const Row rows[] = {
    {"Lorenz", kAxes, "Lorenz's convection of 1963: the butterfly, with beta as dysts rounds it",
     [](P p) { return lorenz_like(p("sigma"), p("rho"), -1, p("beta")); }},
    {"Rossler", kAxes, "Rössler's flow: one stretching fold",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c")](double, In s, Out o) {
         put(o, -s[1] - s[2], s[0] + a * s[1], b + s[2] * (s[0] - c));
       };
     }},
    {"Chen", kAxes, "Chen's flow, the dual of Lorenz's",
     [](P p) { return lorenz_like(p("a"), p("c") - p("a"), p("c"), p("b")); }},
    {"LuChen", kAxes, "Lü's and Chen's flow, between Lorenz's and Chen's",
     [](P p) { return lorenz_like(p("a"), 0, p("c"), p("b")); }},
    {"RayleighBenard", kAxes, "Yanagita's and Kaneko's convection",
     [](P p) { return lorenz_like(p("a"), 0, p("r"), p("b")); }},
    {"LorenzBounded", kAxes, "Lorenz's flow inside a sphere",
     [](P p) -> Flow {
       return [beta = p("beta"), radius = p("r"), rho = p("rho"), sigma = p("sigma")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         const double inside = 1 - (x * x + y * y + z * z) / square(radius);
         put(o, sigma * (y - x) * inside, (rho * x - x * z - y) * inside, (x * y - beta * z) * inside);
       };
     }},
    {"Lorenz84", kAxes, "Lorenz's model of the general circulation, 1984",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), f = p("f"), g = p("g")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, -a * x - y * y - z * z + a * f, -y + x * y - b * x * z + g, -z + b * x * y + x * z);
       };
     }},
    {"Hadley", kAxes, "Lorenz's Hadley circulation",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), f = p("f"), g = p("g")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, -y * y - z * z - a * x + a * f, x * y - b * x * z - y + g, b * x * y + x * z - z);
       };
     }},
    {"Thomas", kAxes, "Thomas's cyclically symmetric flow", thomas},
    {"ThomasLabyrinth", kAxes, "Thomas's flow with little damping: a labyrinth", thomas},
    {"Halvorsen", kAxes, "Halvorsen's cyclically symmetric flow",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, -a * x - b * (y + z) - y * y, -a * y - b * (z + x) - z * z, -a * z - b * (x + y) - x * x);
       };
     }},
    {"Aizawa", kAxes, "Aizawa's sphere with a tube",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d"), e = p("e"), f = p("f")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, (z - b) * x - d * y, d * x + (z - b) * y,
             c + a * z - cube(z) / 3 - (x * x + y * y) * (1 + e * z) + f * z * cube(x));
       };
     }},
    {"Dadras", kAxes, "Dadras's and Momeni's flow with two to four scrolls",
     [](P p) -> Flow {
       return [c = p("c"), e = p("e"), m = p("o"), n = p("p"), r = p("r")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, y - n * x + m * y * z, r * y - x * z + z, c * x * y - e * z);
       };
     }},
    {"Arneodo", kAxes, "Arneodo's jerk flow with a cubic force", arneodo},
    {"Coullet", kAxes, "Coullet's jerk flow with a cubic force", arneodo},
    {"GenesioTesi", kAxes, "Genesio's and Tesi's jerk flow",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c")](double, In s, Out o) {
         put(o, s[1], s[2], -c * s[0] - b * s[1] - a * s[2] + s[0] * s[0]);
       };
     }},
    {"MooreSpiegel", kAxes, "Moore's and Spiegel's thermal oscillator",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), e = p("eps")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, y, a * z, -z + e * y - y * x * x - b * x);
       };
     }},
    {"Rucklidge", kAxes, "Rucklidge's double convection",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b")](double, In s, Out o) {
         put(o, -a * s[0] + b * s[1] - s[1] * s[2], s[0], -s[2] + s[1] * s[1]);
       };
     }},
    {"ShimizuMorioka", kAxes, "Shimizu's and Morioka's simple Lorenz flow",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b")](double, In s, Out o) {
         put(o, s[1], s[0] - a * s[1] - s[0] * s[2], -b * s[2] + s[0] * s[0]);
       };
     }},
    {"RabinovichFabrikant", kAxes, "Rabinovich's and Fabrikant's waves in a plasma",
     [](P p) -> Flow {
       return [a = p("a"), g = p("g")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, y * (z - 1 + x * x) + g * x, x * (3 * z + 1 - x * x) + g * y, -2 * z * (a + x * y));
       };
     }},
    {"NoseHoover", kAxes, "a harmonic oscillator in a thermostat",
     [](P p) -> Flow {
       return [a = p("a")](double, In s, Out o) { put(o, s[1], -s[0] + s[1] * s[2], a - s[1] * s[1]); };
     }},
    {"RikitakeDynamo", kAxes, "Rikitake's two coupled dynamos: reversals of the Earth's field",
     [](P p) -> Flow {
       return [a = p("a"), mu = p("mu")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, -mu * x + y * z, -mu * y - a * x + x * z, 1 - x * y);
       };
     }},
    {"PehlivanWei", kAxes, "Pehlivan's and Wei's flow without parameters",
     [](P) -> Flow {
       return [](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, y - y * z, y + y * z - 2 * x, 2 - x * y - y * y);
       };
     }},
    {"Sakarya", kAxes, "the Sakarya flow", sakarya},
    {"LiuChen", kAxes, "Liu's and Chen's flow with four scrolls", sakarya},
    {"Bouali", kAxes, "Bouali's flow", bouali},
    {"Bouali2", kAxes, "Bouali's flow with other parameters", bouali},
    {"LuChenCheng", kAxes, "Lü's, Chen's and Cheng's flow with four scrolls",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, -a * b / (a + b) * x - y * z + c, a * y + x * z, b * z + x * y);
       };
     }},
    {"QiChen", kAxes, "Qi's and Chen's flow",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, a * (y - x) + y * z, c * x + y - x * z, x * y - b * z);
       };
     }},
    {"ZhouChen", kAxes, "Zhou's and Chen's flow",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d"), e = p("e")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, a * x + b * y + y * z, c * y - x * z + d * y * z, e * z - x * y);
       };
     }},
    {"BurkeShaw", kAxes, "Burke's and Shaw's flow",
     [](P p) -> Flow {
       return [e = p("e"), n = p("n")](double, In s, Out o) {
         put(o, -n * (s[0] + s[1]), s[1] - n * s[0] * s[2], n * s[0] * s[1] + e);
       };
     }},
    {"ChenLee", kAxes, "Chen's and Lee's turning rigid body with feedback",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, a * x - y * z, b * y + x * z, c * z + x * y / 3);
       };
     }},
    {"WangSun", kAxes, "Wang's and Sun's flow with four scrolls",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), d = p("d"), e = p("e"), f = p("f"), q = p("q")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, a * x + q * y * z, b * x + d * y - x * z, e * z + f * x * y);
       };
     }},
    {"YuWang", kAxes, "Yu's and Wang's flow with an exponential",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, a * (y - x), b * x - c * x * z, std::exp(x * y) - d * z);
       };
     }},
    {"YuWang2", kAxes, "Yu's and Wang's flow with a hyperbolic cosine",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, a * (y - x), b * x - c * x * z, std::cosh(x * y) - d * z);
       };
     }},
    {"SanUmSrisuchinwong", kAxes, "San-Um's and Srisuchinwong's flow with a hyperbolic tangent",
     [](P p) -> Flow {
       return [a = p("a")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, y - x, -z * std::tanh(x), -a + x * y + std::abs(y));
       };
     }},
    {"DequanLi", kAxes, "Li's flow with three scrolls", dequan_li},
    {"PanXuZhou", kAxes, "Pan's, Xu's and Zhou's flow", dequan_li},
    {"Tsucs2", kAxes, "the three-scroll unified flow, second kind", dequan_li},
    {"NewtonLiepnik", kAxes, "Newton's and Leipnik's turning body with feedback: two attractors",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, -a * x + y + 10 * y * z, -x - 0.4 * y + 5 * x * z, b * z - 5 * x * y);
       };
     }},
    {"GuckenheimerHolmes", kAxes, "Guckenheimer's and Holmes's normal form",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d"), e = p("e"), f = p("f")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, a * x - b * y + c * z * x + d * z * (x * x + y * y), a * y + b * x + c * z * y,
             e - z * z - f * (x * x + y * y) - a * cube(z));
       };
     }},
    {"Torus", kAxes, "a curve that winds around a torus: quasiperiodic, in explicit time",
     [](P p) -> Flow {
       return [a = p("a"), n = p("n"), r = p("r")](double t, In, Out o) {
         const double inward = -a * n * std::sin(n * t), radius = r + a * std::cos(n * t);
         put(o, inward * std::cos(t) - radius * std::sin(t), inward * std::sin(t) + radius * std::cos(t),
             a * n * std::cos(n * t));
       };
     }},
};

}  // namespace

std::span<const Row> classic_rows() { return rows; }

}  // namespace filigree::dynamics::table
