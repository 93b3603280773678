import { allOf, createMeter, isSame, print, stripe, without } from "./client.mjs";

const { meters } = stripe.billing;

const created = await meters.create({
  display_name: "Search API Calls",
  event_name: "searched",
  default_aggregation: { formula: "last" },
  customer_mapping: { event_payload_key: "who", type: "by_id" },
  value_settings: { event_payload_key: "calls" },
  event_time_window: "hour",
});
const retrieved = await meters.retrieve(created.id);
const updated = await meters.update(created.id, { display_name: "Searches" });
const inactive = await meters.deactivate(created.id);
const listedInactive = await meters.list({ status: "inactive" });
const active = await meters.reactivate(created.id);

const made = [];
for (const name of ["a", "b", "c", "d"]) made.push(await createMeter(name));

print({
  created: without(created, "id", "created", "updated"),
  isRetrieved: isSame(retrieved, created),
  updated: updated.display_name,
  inactive: [inactive.status, typeof inactive.status_transitions.deactivated_at],
  listedInactive: listedInactive.data.map((each) => each.event_name),
  active: [active.status, active.status_transitions.deactivated_at],
  page: without(await meters.list({ limit: 1 }), "data"),
  paged: await allOf(meters.list({ limit: 2 }), "event_name"),
  pagedBackwards: await allOf(
    meters.list({ limit: 2, ending_before: made[1].id }),
    "event_name",
  ),
  first: (await meters.list({ limit: 2 }).autoPagingToArray({ limit: 3 })).map(
    (each) => each.event_name,
  ),
});
