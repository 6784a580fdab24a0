// The same load as nng_load's on the gRPC peer: N unary calls in flight through the asynchronous callback stub, one channel.
//
//     grpc_load ADDRESS IN_FLIGHT SECONDS
#include <atomic>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "echo.grpc.pb.h"
#include "load.h"

static std::atomic<size_t> finished;
static std::atomic<int> running;
static std::atomic<bool> stopping;
static std::vector<uint32_t> latencies(LATENCIES_MAX);

struct Slot {
    bench::Echo::Stub *stub;
    std::unique_ptr<grpc::ClientContext> context;
    bench::PingMessage request;
    bench::PingMessage response;
    int64_t sent_ns;

    void Send()
    {
        context = std::make_unique<grpc::ClientContext>();
        request.set_payload(std::string(64, 'x'));
        sent_ns = now_ns();
        stub->async()->Ping(context.get(), &request, &response,
                            [this](grpc::Status status) { Done(status); });
    }

    void Done(const grpc::Status &status)
    {
        if (!status.ok()) {
            std::fprintf(stderr, "grpc_load: %s\n", status.error_message().c_str());
            _exit(1);
        }
        size_t place = finished.fetch_add(1);
        if (place < LATENCIES_MAX)
            latencies[place] = static_cast<uint32_t>(now_ns() - sent_ns);
        if (stopping)
            running.fetch_sub(1);
        else
            Send();
    }
};

int main(int argc, char **argv)
{
    int in_flight = argc == 4 ? std::atoi(argv[2]) : 0;
    double seconds = argc == 4 ? std::atof(argv[3]) : 0;
    if (in_flight < 1 || in_flight > 1024 || seconds <= 0 || seconds > 60)
        return 2;
    auto channel = grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials());
    auto stub = bench::Echo::NewStub(channel);
    if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10)))
        return 1;
    std::vector<Slot> slots(static_cast<size_t>(in_flight));
    running = in_flight;
    int64_t begun = now_ns();
    for (Slot &slot : slots) {
        slot.stub = stub.get();
        slot.Send();
    }
    usleep(static_cast<useconds_t>(seconds * 1e6));
    size_t count = finished;
    double passed = static_cast<double>(now_ns() - begun) / 1e9;
    stopping = true;
    for (int i = 0; i < 30000 && running > 0; i++)
        usleep(1000);
    report(latencies.data(), count, passed);
    std::fflush(stdout);
    _exit(running > 0);
}
