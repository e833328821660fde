#include "dynamics/systems_table.h"

/// Flows of four and more coordinates, most of them hyperchaotic, and Hamiltonian ones. Parameters and equations as in
/// williamgilpin/dysts: dysts/flows.py.
namespace filigree::dynamics::table {
namespace {

constexpr const char* kAxes = "x y z w";

/// Gravity of the swinging Atwood machine.
constexpr double kGravity = 9.82;

const Row rows[] = {
    {"HyperRossler", kAxes, "Rössler's hyperchaotic flow",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d")](double, In s, Out o) {
         const auto [x, y, z, w] = at<4>(s);
         put(o, -y - z, x + a * y + w, b + x * z, -c * z + d * w);
       };
     }},
    {"HyperLorenz", kAxes, "Lorenz's flow with feedback",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d")](double, In s, Out o) {
         const auto [x, y, z, w] = at<4>(s);
         put(o, a * (y - x) + w, -x * z + c * x - y, -b * z + x * y, d * w - x * z);
       };
     }},
    {"HyperJha", kAxes, "Jha's hyperchaotic flow",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d")](double, In s, Out o) {
         const auto [x, y, z, w] = at<4>(s);
         put(o, a * (y - x) + w, -x * z + b * x - y, x * y - c * z, -x * z + d * w);
       };
     }},
    {"HyperCai", kAxes, "Cai's and Huang's hyperchaotic finance",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d"), e = p("e")](double, In s, Out o) {
         const auto [x, y, z, w] = at<4>(s);
         put(o, a * (y - x), b * x + c * y - x * z + w, -d * z + y * y, -e * x);
       };
     }},
    {"HyperBao", kAxes, "Bao's and Liu's hyperchaotic flow",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d"), e = p("e")](double, In s, Out o) {
         const auto [x, y, z, w] = at<4>(s);
         put(o, a * (y - x) + w, c * y - x * z, x * y - b * z, e * x + d * y * z);
       };
     }},
    {"HyperQi", kAxes, "Qi's hyperchaotic flow",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d"), e = p("e"), f = p("f")](double, In s, Out o) {
         const auto [x, y, z, w] = at<4>(s);
         put(o, a * (y - x) + y * z, b * (x + y) - x * z, -c * z - e * w + x * y, -d * w + f * z + x * y);
       };
     }},
    {"Qi", kAxes, "Qi's flow with products of three",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d")](double, In s, Out o) {
         const auto [x, y, z, w] = at<4>(s);
         put(o, a * (y - x) + y * z * w, b * (x + y) - x * z * w, -c * z + x * y * w, -d * w + x * y * z);
       };
     }},
    {"LorenzStenflo", kAxes, "Stenflo's acoustic-gravity waves",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d")](double, In s, Out o) {
         const auto [x, y, z, w] = at<4>(s);
         put(o, a * (y - x) + d * w, c * x - x * z - y, x * y - b * z, -x - a * w);
       };
     }},
    {"HyperYangChen", kAxes, "Yang's and Chen's hyperchaotic flow",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d")](double, In s, Out o) {
         const auto [x, y, z, w] = at<4>(s);
         put(o, a * (y - x), c * x - x * z + w, -b * z + x * y, -d * x);
       };
     }},
    {"HyperYan", kAxes, "Yan's and Yu's hyperchaotic flow",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d")](double, In s, Out o) {
         const auto [x, y, z, w] = at<4>(s);
         put(o, a * (y - x), (c - a) * x - x * z + c * y, -b * z + x * y - y * z + x * z - w, -d * w + y * z - x * z);
       };
     }},
    {"HyperXu", kAxes, "Xu's hyperchaotic flow",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d"), e = p("e")](double, In s, Out o) {
         const auto [x, y, z, w] = at<4>(s);
         put(o, a * (y - x) + w, b * x + e * x * z, -c * z - x * y, x * z - d * y);
       };
     }},
    {"HyperWang", kAxes, "Wang's hyperchaotic flow",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d"), e = p("e")](double, In s, Out o) {
         const auto [x, y, z, w] = at<4>(s);
         put(o, a * (y - x), -x * z + b * x + w, -c * z + e * x * x, -d * x);
       };
     }},
    {"HyperPang", kAxes, "Pang's and Liu's hyperchaotic flow",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d")](double, In s, Out o) {
         const auto [x, y, z, w] = at<4>(s);
         put(o, a * (y - x), -x * z + c * y + w, x * y - b * z, -d * (x + y));
       };
     }},
    {"HyperLu", kAxes, "Lü's flow with feedback",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d")](double, In s, Out o) {
         const auto [x, y, z, w] = at<4>(s);
         put(o, a * (y - x) + w, -x * z + c * y, x * y - b * z, d * w + x * z);
       };
     }},
    {"LorenzCoupled", "x1 y1 z1 x2 y2 z2", "one Lorenz flow that drives another",
     [](P p) -> Flow {
       return [beta = p("beta"), eps = p("eps"), rho1 = p("rho1"), rho2 = p("rho2"), sigma = p("sigma")](double, In s,
                                                                                                         Out o) {
         const auto [x1, y1, z1, x2, y2, z2] = at<6>(s);
         put(o, sigma * (y1 - x1), x1 * (rho1 - z1) - y1, x1 * y1 - beta * z1, sigma * (y2 - x2) + eps * (x1 - x2),
             x2 * (rho2 - z2) - y2, x2 * y2 - beta * z2);
       };
     }},
    {"Lorenz96", "x0 x1 x2 x3", "Lorenz's atmosphere on a circle of four places",
     [](P p) -> Flow {
       return [f = p("f")](double, In s, Out o) {
         for (int i = 0; i < 4; ++i) o[i] = (s[(i + 1) % 4] - s[(i + 2) % 4]) * s[(i + 3) % 4] - s[i] + f;
       };
     }},
    {"HenonHeiles", "x y px py", "Hénon's and Heiles's star in a galaxy; conserves energy",
     [](P p) -> Flow {
       return [lam = p("lam")](double, In s, Out o) {
         const auto [x, y, px, py] = at<4>(s);
         put(o, px, py, -x - 2 * lam * x * y, -y - lam * (x * x - y * y));
       };
     }},
    {"NuclearQuadrupole", "q1 q2 p1 p2", "quadrupole oscillations of a nucleus; conserves energy",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), d = p("d")](double, In s, Out o) {
         const auto [q1, q2, p1, p2] = at<4>(s);
         const double r = q1 * q1 + q2 * q2, root = 3 / std::numbers::sqrt2 * b;
         put(o, a * p1, a * p2, -a * q1 + root * (q1 * q1 - q2 * q2) - d * q1 * r,
             -a * q2 - 2 * root * q1 * q2 - d * q2 * r);
       };
     }},
    {"SwingingAtwood", "r th pr pth", "two weights over pulleys, one of which swings; conserves energy",
     [](P p) -> Flow {
       return [m1 = p("m1"), m2 = p("m2")](double, In s, Out o) {
         const auto [r, th, pr, pth] = at<4>(s);
         put(o, pr / (m1 + m2), pth / (m1 * r * r),
             pth * pth / (m1 * cube(r)) - m2 * kGravity + m1 * kGravity * std::cos(th),
             -m1 * kGravity * r * std::sin(th));
       };
     }},
    {"DoublePendulum", "th1 th2 w1 w2",
     "two masses on rods, one hung from the other, with angular velocities; conserves energy",
     [](P p) -> Flow {
       return [g = p("g"), l1 = p("l1"), l2 = p("l2"), m1 = p("m1"), m2 = p("m2")](double, In s, Out o) {
         const auto [th1, th2, w1, w2] = at<4>(s);
         const double c = std::cos(th1 - th2), d = std::sin(th1 - th2), m = m1 + m2, mass = m1 + m2 * d * d;
         const double pull1 = m2 * l2 * w2 * w2 * d + m * g * std::sin(th1);
         const double pull2 = m * (l1 * w1 * w1 * d - g * std::sin(th2));
         put(o, w1, w2, (m2 * c * (g * std::sin(th2) - l1 * w1 * w1 * d) - pull1) / (l1 * mass),
             (c * pull1 + pull2) / (l2 * mass));
       };
     }},
};

}  // namespace

std::span<const Row> hyper_rows() { return rows; }

}  // namespace filigree::dynamics::table
