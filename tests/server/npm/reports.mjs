import { allOf, print, stripe } from "./client.mjs";

const { events } = stripe.v2.core;
const TRIGGERED = "v1.billing.meter.error_report_triggered";

const names = [];
let report;
for await (const each of events.list({ types: [TRIGGERED], limit: 1 })) {
  report = await events.retrieve(each.id);
  names.push((await report.fetchRelatedObject()).event_name);
}

print({
  names: names.sort(),
  types: (await allOf(events.list({ limit: 2 }), "type")).sort(),
  later: await allOf(events.list({ created: { gt: "2120-01-31T12:00:00Z" } }), "id"),
  report: [report.object, report.type, report.related_object.type],
  summary: report.data.developer_message_summary,
  codes: report.data.reason.error_types.map((each) => [each.code, each.error_count]),
});
