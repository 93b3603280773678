import {
  allOf,
  createMeter,
  isSame,
  print,
  refusal,
  stripe,
  without,
} from "./client.mjs";

const { events, webhookEndpoints } = stripe;

const created = await webhookEndpoints.create({
  url: "https://127.0.0.1/hooks",
  enabled_events: ["billing.meter.created", "billing.alert.triggered"],
  description: "Billing",
  metadata: { a: "1" },
});
const updated = await webhookEndpoints.update(created.id, {
  enabled_events: ["*"],
  description: "",
  metadata: null,
  disabled: true,
});
const retrieved = await webhookEndpoints.retrieve(created.id);
const listed = await allOf(webhookEndpoints.list({ limit: 1 }), "id");
const deleted = await webhookEndpoints.del(created.id);

const meter = await createMeter("told");
await stripe.billing.meters.update(meter.id, { display_name: "Told" });
await stripe.billing.meters.deactivate(meter.id);
const [newest] = (await events.list({ limit: 1 })).data;
const event = await events.retrieve(newest.id);

print({
  created: without(created, "id", "created", "secret"),
  secret: created.secret.slice(0, 6),
  updated: [
    updated.enabled_events,
    updated.description,
    updated.metadata,
    updated.status,
  ],
  isRetrieved: isSame(retrieved, updated),
  isListed: listed.join() === created.id,
  deleted: without(deleted, "id"),
  gone: without(await refusal(webhookEndpoints.retrieve(created.id)), "message"),
  paged: await allOf(events.list({ limit: 1 }), "type"),
  ofType: await allOf(events.list({ type: "billing.meter.updated" }), "type"),
  since: await allOf(events.list({ created: { gt: newest.created } }), "type"),
  event: [event.object, event.type, event.data.object.status],
  previous: event.data.previous_attributes.status,
});
