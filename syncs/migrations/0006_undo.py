
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('syncs', '0005_import_order'),
    ]

    operations = [
        migrations.AddField(
            model_name='runchange',
            name='before',
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name='runchange',
            name='before_sealed',
            field=models.BinaryField(null=True),
        ),
    ]
