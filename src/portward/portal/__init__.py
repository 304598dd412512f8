"""What people see of Portward: login, second factor, enrolment, home; and the API that the CLI talks to.

app = create_app(Portal(identity, lambda: settings, clock))       # served on STATE/run/portal.sock
admin = create_admin(Admin(identity, store, lambda: settings, keeper, arrivals))   # served on STATE/run/admin.sock
"""
