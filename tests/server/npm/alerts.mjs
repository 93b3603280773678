import { allOf, createMeter, print, stripe, without } from "./client.mjs";

const { alerts } = stripe.billing;
const meter = await createMeter("watched");

const created = await alerts.create({
  title: "Much",
  alert_type: "usage_threshold",
  usage_threshold: {
    gte: 10_000,
    meter: meter.id,
    recurrence: "one_time",
    filters: [{ type: "customer", customer: "cus_1" }],
  },
});
const { usage_threshold: threshold } = created;
const retrieved = await alerts.retrieve(created.id, {
  expand: ["usage_threshold.meter"],
});
const statuses = [
  (await alerts.deactivate(created.id)).status,
  (await alerts.activate(created.id)).status,
];
for (const title of ["More", "Most"]) {
  await alerts.create({
    title,
    alert_type: "usage_threshold",
    usage_threshold: { gte: 20_000, meter: meter.id, recurrence: "one_time" },
  });
}
const listed = await allOf(alerts.list({ meter: meter.id, limit: 1 }), "title");
statuses.push((await alerts.archive(created.id)).status);

print({
  created: without(created, "id", "usage_threshold"),
  threshold: without(threshold, "meter"),
  isOfMeter: threshold.meter === meter.id,
  expanded: retrieved.usage_threshold.meter.event_name,
  statuses,
  listed,
  listedLater: await allOf(alerts.list({ meter: meter.id }), "title"),
});
