// The gRPC peer: a unary echo on gRPC's C++ callback server.
//
//     grpc_echo ADDRESS        "unix:/path" or "127.0.0.1:0"; prints "ready ADDRESS", ends when its standard input does
#include <cstdio>
#include <memory>
#include <string>
#include <unistd.h>

#include <grpcpp/grpcpp.h>

#include "echo.grpc.pb.h"

class EchoService final : public bench::Echo::CallbackService {
    grpc::ServerUnaryReactor *Ping(grpc::CallbackServerContext *context,
                                   const bench::PingMessage *request,
                                   bench::PingMessage *response) override
    {
        response->set_payload(request->payload());
        grpc::ServerUnaryReactor *reactor = context->DefaultReactor();
        reactor->Finish(grpc::Status::OK);
        return reactor;
    }
};

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    EchoService service;
    std::string address = argv[1];
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server)
        return 1;
    if (address.rfind("unix:", 0) != 0)
        address = address.substr(0, address.rfind(':') + 1) + std::to_string(port);
    std::printf("ready %s\n", address.c_str());
    std::fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    _exit(0);
}
