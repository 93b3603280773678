import { createMeter, print, stripe, told } from "./client.mjs";

const [url] = told;
const endpoint = await stripe.webhookEndpoints.create({
  url,
  enabled_events: ["billing.meter.created"],
});
await createMeter("delivered");

print({ secret: endpoint.secret });
