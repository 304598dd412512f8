// Carries what stands after # in an address through the login. No server ever sees it, and redirects keep it by
// themselves, but forms and links lose it. Without JavaScript a visitor arrives at the top of the page.

for (const form of document.forms) form.action += location.hash
for (const link of document.querySelectorAll("a[data-onward]")) link.href += location.hash
const go = document.querySelector("a[data-onward=now]")
if (go) location.replace(go.href)
