// The plugins of this library.
#include "command.hpp"
#include "context.hpp"
#include "nftrules.hpp"
#include "schema.hpp"

#include <nfbus/filter.hpp>
#include <nfbus/sink.hpp>

namespace nftrules {
namespace {

constexpr nfbus_command kCommands[] = {
    nfbus::command<nft>("nft", "the firewall's log rules: plan, apply, revert, status")};

}  // namespace
}  // namespace nftrules

NFBUS_LIBRARY(nfbus::sink<nftrules::NftRules>("nftrules",
                                              {.summary = "makes the firewall's rules log what nfbus needs to hear",
                                               .schema = nftrules::kSchema,
                                               .event_kinds = NFBUS_EVENT_MESSAGE,
                                               .commands = nftrules::kCommands,
                                               .has_privileged_part = true}),
              nfbus::filter<nftrules::Context>("nftcontext",
                                               {.summary = "says which rule of the firewall logged a packet",
                                                .shape = {.tick_ms = nftrules::kContextTickMs},
                                                .annotates = nftrules::kContextFields,
                                                .has_privileged_part = true}))
