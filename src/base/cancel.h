#pragma once

/// Stopping long work cleanly at Ctrl-C. The program installs the handler; long loops in libraries poll cancelled(),
/// keep what is done and return.
namespace filigree {

/// From now on the first SIGINT or SIGTERM sets the flag and the second ends the program at once. A signal that the
/// program was started to ignore (as by nohup) stays ignored. Call once, in main.
void install_cancel_handler();

/// Whether the work shall stop. Cheap; may be called from any thread.
bool cancelled();

/// Sets the flag as the first Ctrl-C does: for a server that stops one job, and for tests.
void request_cancel();

/// Clears the flag for the next piece of work.
void reset_cancel();

}  // namespace filigree
