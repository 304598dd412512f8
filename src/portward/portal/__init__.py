"""What people see of Portward: login, second factor, enrolment, home; and the API that the CLI talks to.

app = create_app(Portal(identity, store, lambda: settings, record, clock, control, devices, root, release, mailer))
admin = create_admin(portal, journal, status, configuration)                      # served on STATE/run/admin.sock
"""
