// uWebSockets, from a checkout of it. `echo_uwebsockets PORT [deflate|room]`
// room: each message goes to all others who are connected.
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "App.h"

struct Nothing {};

int main(int argc, char **argv) {
  int port = argc > 1 ? atoi(argv[1]) : 8080;
  bool deflate = argc > 2 && !strcmp(argv[2], "deflate");
  bool room = argc > 2 && !strcmp(argv[2], "room");
  uWS::App::WebSocketBehavior<Nothing> behavior;
  behavior.compression = deflate ? uWS::SHARED_COMPRESSOR : uWS::DISABLED;
  behavior.maxPayloadLength = 64 << 20;
  behavior.maxBackpressure = 128 << 20;
  behavior.idleTimeout = 960;
  behavior.open = [room](auto *socket) {
    if (room) socket->subscribe("room");
  };
  behavior.message = [room, deflate](auto *socket, std::string_view message, uWS::OpCode kind) {
    if (room) {
      socket->publish("room", message, kind);
    } else {
      socket->send(message, kind, deflate);
    }
  };
  bool listening = false;
  auto listened = [&listening](auto *socket) { listening = socket != nullptr; };
  uWS::App app;
  app.ws<Nothing>("/*", std::move(behavior)).listen("127.0.0.1", port, listened);
  if (!listening) return 1;
  app.run();
}
